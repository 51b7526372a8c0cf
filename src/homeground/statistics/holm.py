"""Several verdicts on one test set: the more of them, the surer each must be.

With three comparisons at 95% each, one of them would look like an effect where there is none more often than one time
in 20. Holm's step-down procedure keeps that chance for all of them together.

    Holm (1979), A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6(2)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

ERROR = 0.05
"""The chance that any of the comparisons is called an effect where none of them has one."""

SHOWN = ("HELPED", "HURT")
"""The verdicts that call a difference an effect."""


def judge_together(names: Sequence[str], judge: Callable[[str, float], dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the verdicts of several comparisons, in their order, each at the level Holm's procedure gives it.

    ``judge`` returns the record of a comparison, of which ``verdict`` is looked at, with an interval of a level. The
    first is 1 - 0.05/m for m comparisons; each one that is an effect there leaves one fewer for the others, until none
    is.

    >>> found = judge_together(["a", "b"], lambda name, level: {"verdict": "HELPED" if name == "a" else "NO EVIDENCE",
    ...                                                         "level": level})
    >>> found["a"]["level"], found["b"]["level"]
    (0.975, 0.95)
    """
    left, found = list(names), dict[str, dict[str, Any]]()
    while left:
        judged = {name: judge(name, 1 - ERROR / len(left)) for name in left}
        shown = [name for name in left if judged[name]["verdict"] in SHOWN]
        found |= {name: judged[name] for name in shown or left}
        left = [name for name in left if name not in shown] if shown else []
    return {name: found[name] for name in names}
