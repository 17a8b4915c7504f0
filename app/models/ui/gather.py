"""What the list of models shows, put together from what is known of them."""

from collections.abc import Sequence

from app.inference.local_model import LocalModel
from app.models import catalogue, local_models, model_fit
from app.models.services.downloads import Download
from app.models.services.library import ModelLibrary
from app.models.ui.entries import Entry
from app.models.ui.fits import Findings


def used_id(local: Sequence[LocalModel], chosen: str | None) -> str | None:
    """The chosen model, else the first that can answer: as the session of questions decides."""
    ids = [model.id for model in local if not local_models.is_for_search(model)]
    if chosen in ids:
        return chosen
    return ids[0] if ids else None


def entries(
    library: ModelLibrary, chosen: str | None, found: Findings, downloads: Sequence[Download]
) -> tuple[list[Entry], list[Entry]]:
    """What is here, and the cards of what is not. A download stands at its card, or at the model of that card."""
    local = library.listed()
    order = {item.card_id: place for place, item in reversed(list(enumerate(downloads)))}
    coming: dict[str, Download] = {}
    for item in downloads:
        coming.setdefault(item.card_id, item)
    used, here, names = used_id(local, chosen), [], local_models.distinct_names(local)
    for model in local:
        card = library.card(model)
        judged = dict(found.cards.get(card.id, {})) if card else {}
        if model.path in found.models:
            judged[model.quantization] = found.models[model.path]
        own = coming.pop(card.id, None) if card and model.tuned is None else None
        here.append(Entry(names[model.id], model, card, model.id == used, judged, model.quantization, own))
    cards_here = {model.card_id for model in local if model.tuned is None}
    cards = []
    for card in catalogue.load().cards:
        if card.id not in cards_here:
            usual, download = model_fit.usual_file(card), coming.get(card.id)
            judged = dict(found.cards.get(card.id, {}))
            quantization = download.quantization if download else usual.quantization if usual else ""
            cards.append(Entry(card.title, card=card, judged=judged, quantization=quantization, download=download))
    return here, sorted(cards, key=lambda entry: order.get(entry.card.id if entry.card else "", len(order)))
