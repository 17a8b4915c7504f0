"""Which download the first run offers."""

from app.base.settings import Settings
from app.inference.speed import MachineSpeed
from app.shell.ui.first_run_model import suggestion


def test_the_first_run_offers_the_best_score_that_the_machine_can_have() -> None:
    """Scores reached with thoughts count only where thoughts take no minutes."""
    quick, leisurely = MachineSpeed(3e11, 4e12, 3e12, 16, 1.0), MachineSpeed(4e10, 4e11, 4e11, 4, 1.0)

    def offered(available_gb: float, here: MachineSpeed | None) -> str:
        found = suggestion(int(available_gb * 1e9), Settings(), here)
        return found[0].id if found else ""

    assert offered(14, None) == "llama-3.1-swallow-8b-instruct-v0.5"
    assert offered(14, leisurely) == "llama-3.1-swallow-8b-instruct-v0.5"
    assert offered(14, quick) == "qwen3.5-9b"
    assert offered(4.5, None) == "sarashina2.2-3b-instruct-v0.1"
    assert offered(0.2, None) == ""
