"""Test examples that were learned from: left out of the verdict, and described beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from homeground.evaluation.evaluation_set import EvaluationSet
from homeground.statistics.bootstrap import Interval
from homeground.tasks.task import Measurement

FEWEST_LEFT = 2
"""Examples below which nothing is measured without those that were learned from: all are, and there is no verdict."""


@dataclass(frozen=True)
class LeftOut:
    """Test examples that a model learned from, and what both models score where they are not left out.

    ``seen`` counts them by the place where they were learned, ``where`` says it in words. ``test`` are all examples,
    ``before`` and ``after`` what is measured on these; that describes, and decides nothing: a score on texts that were
    learned is no score on new ones.
    """

    examples: int
    seen: Mapping[str, int]
    where: str
    test: EvaluationSet
    before: Measurement
    after: Measurement

    @property
    def left(self) -> int:
        """How many examples are left."""
        return len(self.test) - self.examples

    @property
    def interval(self) -> Interval:
        """The interval of the primary metric, after minus before, on all examples."""
        return self.test.difference(self.before, self.after)

    @property
    def sentence(self) -> str:
        """How many are left out, and why."""
        return left_out_sentence(self.examples, len(self.test), self.where)


def left_out_sentence(examples: int, of: int, where: str) -> str:
    """Say how many of all test examples are left out, and why.

    >>> left_out_sentence(54, 3080, "the training file")
    '54 of 3,080 were left out: their texts are in the training file'
    """
    texts = "its text is" if examples == 1 else "their texts are"
    return f"{examples:,} of {of:,} {'was' if examples == 1 else 'were'} left out: {texts} in {where}"
