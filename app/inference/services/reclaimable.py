"""Memory that unloading the current model gives back."""

from app.inference.services.engine import EngineClient


def reclaimable_bytes(engine: EngineClient) -> int:
    """What unloading gives back. Weights that are mapped from the file count as free memory already."""
    facts = engine.facts
    if facts is None:
        return 0
    return facts.kv_bytes + facts.compute_bytes + (facts.weights_bytes if facts.repack else 0)
