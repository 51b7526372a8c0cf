"""Several verdicts on one test set, with a correction for multiple comparisons.

With three comparisons at 95% each, the probability that at least one of them shows an effect that does not exist is
greater than 5%. Holm's step-down procedure keeps it at 5% for all of them together.

    Holm (1979), A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6(2)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

Comparison = TypeVar("Comparison")

FAMILYWISE_ERROR = 0.05
"""The probability that any of the comparisons is called an effect although none of them is one."""

EFFECTS = ("HELPED", "HURT")
"""The verdicts that call a difference an effect."""


def judge_together(
    names: Sequence[str], judge: Callable[[str, float], Comparison], word: Callable[[Comparison], str]
) -> dict[str, Comparison]:
    """Return the comparisons of these names, in their order, each at the level Holm's procedure gives it.

    ``judge`` makes a comparison with an interval of a level; ``word`` is its verdict. The first level is 1 - 0.05/m for
    m comparisons; each one that is an effect there leaves one fewer for the others, until none is.

    >>> levels = judge_together(["a", "b"], lambda name, level: (name, level),
    ...                         lambda comparison: "HELPED" if comparison[0] == "a" else "NO EVIDENCE")
    >>> levels["a"][1], levels["b"][1]
    (0.975, 0.95)
    """
    left, done = list(names), dict[str, Comparison]()
    while left:
        comparisons = {name: judge(name, 1 - FAMILYWISE_ERROR / len(left)) for name in left}
        effects = [name for name in left if word(comparisons[name]) in EFFECTS]
        done |= {name: comparisons[name] for name in effects or left}
        left = [name for name in left if name not in effects] if effects else []
    return {name: done[name] for name in names}


def level_of_best(candidates: int, others: int = 0) -> float:
    """Return the level of the intervals by which the best of several candidates is compared with the rest.

    Which candidate is best follows from the same examples, so any pair of them could be the one that is compared:
    Bonferroni's correction for all pairs keeps the probability at 5% that any of equal candidates is called worse. With
    ``others``, such as baselines, it is the level of comparing whichever is best with each of these.

    >>> round(level_of_best(2), 4), round(level_of_best(5), 4), round(level_of_best(5, others=2), 4)
    (0.95, 0.995, 0.995)
    """
    pairs = candidates * others if others else candidates * (candidates - 1) // 2
    return 1 - FAMILYWISE_ERROR / max(pairs, 1)
