"""The training environment's side of the trainer's tests: calls to its modules, asked for and answered in JSON.

`main(REQUESTS.json, ANSWERS.json)`, in a process of the run server: for each request {"call": NAME, ...} its result, or
{"error": [code, facts]}.
"""

import dataclasses
import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.trainer.training_runs import RunServer  # not in the environment

Json = dict[str, Any]


def ask(server: "RunServer", requests: dict[str, Json], folder: Path) -> dict[str, Any]:
    """The program's side: name -> request in, name -> answer out."""
    asked, answered = folder / "requests.json", folder / "answers.json"
    asked.write_text(json.dumps(list(requests.values())), encoding="utf-8")
    server.call("trainer_side", asked, answered)
    return dict(zip(requests, json.loads(answered.read_text(encoding="utf-8")), strict=True))


# ---------------------------------------------------------- in the environment


@functools.cache
def loaded(folder: str) -> Any:
    from trainer import tokenization

    return tokenization.load_tokenizer(Path(folder))


def form_in(request: Json) -> Any:
    from trainer import spec

    return spec._form(request["form"])


def encode(request: Json) -> Any:
    """Of each chat its prompt's ids (without the last answer), and its examples."""
    from trainer import prompt_form as forms

    tokens, form = loaded(request["folder"]), form_in(request)
    return [
        {
            "prompt": tokens.encode(forms.prompt_pieces(form, chat[:-1])).ids,
            "examples": [dataclasses.asdict(tokens.encode(pieces)) for pieces in forms.example_pieces(form, chat)],
        }
        for chat in request["chats"]
    ]


def facts(request: Json) -> Any:
    tokens = loaded(request["folder"])
    return {
        "bos_id": tokens.bos_id,
        "eos_id": tokens.eos_id,
        "pad_id": tokens.pad_id,
        "end_ids": tokens.end_ids,
        "size": tokens.size,
        "control_ids": sorted(tokens.control_ids),
    }


def texts(request: Json) -> Any:
    """The pieces that people see, and all bytes joined."""
    tokens = loaded(request["folder"])
    ids = tokens.ids(request["text"])
    joined = b"".join(tokens.bytes_of(id) for id in ids).decode("utf-8", "replace")
    return {"pieces": [tokens.text_of(id) for id in ids], "joined": joined}


def examples(request: Json) -> Any:
    """Of a data file: what `data.encode` makes of it, and one batch of all."""
    from trainer import data

    tokens = loaded(request["folder"])
    rows = data.read_rows(Path(request["file"]))
    limits = (request["context_tokens"], request["over_length"], request["loss"])
    encoding = data.encode_rows(rows, form_in(request), tokens, *limits)
    batch = data.collate(encoding.examples, tokens.pad_id) if encoding.examples else {}
    shown = [tokens.tokenizer.decode(example.ids) for example in encoding.examples]
    trained = [[id for id in example.labels if id != -100] for example in encoding.examples]
    return {
        **dataclasses.asdict(encoding),
        "lengths": [len(example.ids) for example in encoding.examples],
        "batch": {name: tensor.tolist() for name, tensor in batch.items()},
        "texts": shown,
        "trained": [tokens.tokenizer.decode(ids) for ids in trained],
    }


def form_of(request: Json) -> Any:
    """The form of a chat template, and where each form that is given differs from it."""
    from trainer import tokenization

    tokenizer = loaded(request["folder"]).tokenizer
    tokenizer.chat_template = request["template"]
    form = tokenization.form_from_template(tokenizer)
    given = form_in(request) if "form" in request else form
    return {
        "form": form and dataclasses.asdict(form),
        "differences": None if given is None else tokenization.template_differences(given, tokenizer),
    }


def prepared(request: Json) -> Any:
    """Material, base, rows and encodings, as the run has them before its checks."""
    from trainer import data, recipe, spec
    from trainer.data import SplitRows, TrainingInputs, inspect_base

    asked = spec.from_json(request["spec"])
    base = inspect_base(Path(asked.base))
    own = loaded(asked.base)
    rows = SplitRows(
        *(data.read_rows(Path(path)) if path else [] for path in (asked.train, asked.validation, asked.holdout))
    )
    facts = recipe.RecipeFacts(len(rows.train), 100, "cpu", 1 << 34, True, base.parameters, base.model_type, "linux")
    effective = recipe.resolve(asked, facts)
    assert effective.form is not None
    limits = (effective.context_tokens or 0, effective.over_length)
    encodings = {
        "train": data.encode_rows(rows.train, effective.form, own, *limits, str(effective.loss)),
        "validation": data.encode_rows(rows.validation, effective.form, own, *limits, "answers"),
    }
    for example in encodings["train"].examples:
        if example.line == request.get("damaged_line"):
            damage(example, request["damage"], own)
    train, validation = (encodings[name].examples for name in ("train", "validation"))
    return TrainingInputs(effective, effective.form, own, train, validation, ()), base, rows, encodings


def damage(example: Any, kind: str, tokens: Any) -> None:
    """What a mistake in making examples would have made of one."""
    if kind == "end":
        example.labels[-1] = -100
    elif kind == "first end":
        example.labels[example.labels.index(tokens.end_ids[-1])] = -100
    elif kind == "labels":
        example.labels[:] = [-100] * len(example.ids)
    elif kind == "prompt":
        example.labels[1:] = example.ids[1:]
    elif kind == "bos":
        example.ids.insert(0, example.ids[0])
        example.labels.insert(0, -100)
    elif kind == "no bos":
        del example.ids[0], example.labels[0]
    elif kind == "id":
        example.ids[3] = 1_000_000


def findings(request: Json) -> Any:
    from trainer import preflight

    found = preflight.collect_findings(*prepared(request), platform=request.get("platform", "linux"))
    return [dataclasses.asdict(finding) for finding in found]


def report(request: Json) -> Any:
    """The events that it tells, and how it ended."""
    from trainer import preflight
    from trainer.channel import TrainerJournal
    from trainer.events import RunError
    from trainer.wire import EventWriter

    file = Path(request["events"])
    failed = None
    with file.open("wb") as stream:
        try:
            preflight.report_findings(*prepared(request), TrainerJournal(EventWriter(stream.fileno())))
        except RunError as error:
            failed = [error.code, error.facts]
    events = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return {"events": events, "failed": failed}


def products(_request: Json) -> Any:
    """What is measured with halved products, with failing ones, and as it is."""
    import bitsandbytes

    from trainer import doctor

    right = bitsandbytes.matmul_4bit

    def half(*arguments: Any, **named: Any) -> Any:
        return right(*arguments, **named) * 0.5

    def none(*_arguments: Any, **_named: Any) -> Any:
        raise RuntimeError("no kernel image\nmore")

    found = []
    for bitsandbytes.matmul_4bit in (half, none, right):
        found.append(doctor.measure_product_error("cpu"))
    return found


def told_by_the_doctor(request: Json) -> None:
    """It tells standard output."""
    from trainer import doctor

    doctor.main(request["libraries"])


_CALLS = (encode, examples, facts, findings, form_of, products, report, texts, told_by_the_doctor)
CALLS = {call.__name__: call for call in _CALLS}


def main(asked: str, answered: str) -> None:
    """Requests with `is_open` are answered before the network is refused."""
    from trainer import offline

    requests = json.loads(Path(asked).read_text(encoding="utf-8"))
    answers = [answer(request) if request.get("is_open") else None for request in requests]
    offline.enforce()
    for at, request in enumerate(requests):
        if not request.get("is_open"):
            answers[at] = answer(request)
    Path(answered).write_text(json.dumps(answers, default=str), encoding="utf-8")


def answer(request: Json) -> Any:
    from trainer.events import RunError

    try:
        return CALLS[request["call"]](request)
    except RunError as error:
        return {"error": [error.code, error.facts]}
