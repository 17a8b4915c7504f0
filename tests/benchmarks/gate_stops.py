"""What an early stop of the engine's measurement would save and cost: `python -m tests.benchmarks gate_stops`.

Simulated: the change of each held-out line is normal, and is tested after 20, 32, 48 and 64 lines, without a correction
and with the bounds of Pocock (Biometrika 64, 1977) and of O'Brien and Fleming (Biometrics 35, 1979), which are fitted
to an error of 5 %. Printed for each effect, in standard deviations: how often a change is found, the lines read, and
how many flawless files would be doubted, because what the file loses is known only to the scatter of the lines. A
recorded run (trial model, 20 lines) had an effect of 1.6 and a scatter of 0.031 nats a token.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from app.training import quality_gate
from app.training.runs import run_folders

SEED, DRAWS = 20261201, 40_000
LOOKS = np.array([20, 32, 48, run_folders.MEASURED_LINES])
EFFECTS, SCATTERS = (0.0, 0.25, 0.5, 1.0, 1.6), (0.03, 0.05, 0.1)  # the latter in nats a token
Floats = npt.NDArray[np.float64]


def main() -> None:
    random = np.random.default_rng(SEED)
    nothing = random.normal(0, 1, (DRAWS, LOOKS[-1]))
    bounds = {
        "no stop": fitted(nothing, [np.inf, np.inf, np.inf, 1.0]),
        "uncorrected": np.full(len(LOOKS), 1.99),
        "Pocock": fitted(nothing, np.ones(len(LOOKS))),
        "O'Brien-Fleming": fitted(nothing, np.sqrt(LOOKS[-1] / LOOKS)),
    }
    for name, bound in bounds.items():
        for effect in EFFECTS:
            is_found, lines = stopped(random.normal(-effect, 1, nothing.shape), bound)
            doubted = [random.normal(0, one / np.sqrt(lines)) > quality_gate.LOSS_NATS for one in SCATTERS]
            shares = ", ".join(f"{scatter}: {one.mean():.2%}" for scatter, one in zip(SCATTERS, doubted, strict=True))
            print(f"{name:15} effect {effect}: found {is_found.mean():.1%}, lines {lines.mean():.0f}, doubted {shares}")


def stopped(changes: Floats, bounds: Floats) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Return for each draw (draws x lines) whether a change was found, and after how many lines the test ended."""
    parts = [changes[:, :count] for count in LOOKS]
    statistics = [np.abs(part.mean(1)) / (part.std(1, ddof=1) / np.sqrt(part.shape[1])) for part in parts]
    crossed = np.stack(statistics, 1) > bounds
    is_found = crossed.any(1)
    return is_found, LOOKS[np.where(is_found, crossed.argmax(1), len(LOOKS) - 1)]


def fitted(nothing: Floats, shape: Sequence[float] | Floats) -> Floats:
    """Return bounds of this shape that find a change in 5 % of the draws without one."""
    low, high = 1.0, 5.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if stopped(nothing, middle * np.asarray(shape))[0].mean() > 0.05 else (low, middle)
    return high * np.asarray(shape)


if __name__ == "__main__":
    main()
