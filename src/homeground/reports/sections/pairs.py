"""Test pairs: how the model's similarities or ranks are distributed, and the pairs that changed most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from homeground.reports.bars import per_cent, spread
from homeground.results.record import RunRecord
from homeground.wording import MISSING, count, is_number, number, percent, shorten

MOST_LEVELS = 6
"""Targets with at most this many different values are shown by value; others in five bands of equal width."""

RANKS = [("first", 1, 1), ("second", 2, 2), ("third", 3, 3), ("4th to 10th", 4, 10), ("later", 11, None)]

MOST_EXAMPLES = 10
"""The most pairs of a list."""

LONGEST_TEXT = 280
"""Characters of a text that are shown: enough to see what a pair is about."""


@dataclass(frozen=True)
class Pair:
    """A line of examples.jsonl with two texts and a number for each side.

    The numbers are similarities where the pair has a target, else reciprocal ranks of the right partner.
    """

    row: Any
    texts: tuple[str, str]
    gold: float | None
    before: float
    after: float

    @property
    def gain(self) -> float:
        """By how much the pair got better: its absolute error shrank, or its reciprocal rank rose."""
        if self.gold is None:
            return self.after - self.before
        return abs(self.before - self.gold) - abs(self.after - self.gold)

    def places(self) -> dict[str, float | None]:
        """Return the positions of its numbers, in per cent with a little room at both ends."""
        sides = {"given": self.gold, "before": self.before, "after": self.after}
        return {
            name: None if value is None else round(4 + 92 * min(max(value, 0.0), 1.0), 2)
            for name, value in sides.items()
        }

    def shown(self, side: float) -> str:
        """Return a similarity with two decimals, or the rank that belongs to a reciprocal rank."""
        if self.gold is not None:
            return number(side, 2)
        return count(round(1 / side)) if side > 0 else MISSING


def pairs_of(record: RunRecord) -> list[Pair]:
    """Return the lines of examples.jsonl that are pairs with a number for each side."""
    return [pair for line in record.examples if (pair := _pair(line))]


def _pair(line: Mapping[str, Any]) -> Pair | None:
    first, second = line.get("text_1", line.get("anchor")), line.get("text_2", line.get("positive"))
    before, after, gold = line.get("before"), line.get("after"), line.get("similarity")
    if first is None or second is None or not is_number(before) or not is_number(after):
        return None
    texts = (shorten(first, LONGEST_TEXT), shorten(second, LONGEST_TEXT))
    return Pair(line.get("row", ""), texts, gold if is_number(gold) else None, before, after)


def distributions(record: RunRecord) -> dict[str, Any] | None:
    """Return the distribution of similarities by target, or of ranks for pairs without one; None without pairs."""
    pairs = pairs_of(record)
    if not pairs:
        return None
    scored = [(pair.gold, pair) for pair in pairs if pair.gold is not None]
    return {
        "levels": [_level(name, level) for name, level in _levels(scored)],
        "ranks": [] if scored else [_rank(pairs, *rank) for rank in RANKS],
    }


Scored = Sequence[tuple[float, Pair]]


def _levels(scored: Scored) -> list[tuple[str, Scored]]:
    """Return the levels of the target, the highest first, each with its name and pairs; none is empty."""
    values = sorted({gold for gold, _ in scored}, reverse=True)
    if len(values) <= MOST_LEVELS:
        return [(f"{value:.2f}", [each for each in scored if each[0] == value]) for value in values]
    bands = [
        (
            f"{band / 5:.1f} to {(band + 1) / 5:.1f}",
            [each for each in scored if min(max(int(5 * each[0] + 1e-9), 0), 4) == band],
        )
        for band in range(4, -1, -1)
    ]
    return [(name, members) for name, members in bands if members]


def _level(name: str, scored: Scored) -> dict[str, Any]:
    sides = [[side(pair) for _, pair in scored] for side in (lambda pair: pair.before, lambda pair: pair.after)]
    return {
        "name": name,
        "pairs": len(scored),
        "given": per_cent(float(np.mean([gold for gold, _ in scored]))),
        "spreads": [spread(values) for values in sides],
        "medians": [float(np.median(values)) for values in sides],
    }


def _rank(pairs: Sequence[Pair], name: str, low: int, high: int | None) -> dict[str, Any]:
    """Return the share of texts whose right partner has a rank from ``low`` to ``high`` on each side."""
    shares = [_share([side(pair) for pair in pairs], low, high) for side in (lambda p: p.before, lambda p: p.after)]
    return {"name": name, "widths": [100 * share for share in shares], "texts": [percent(share) for share in shares]}


def _share(reciprocals: Sequence[float], low: int, high: int | None) -> float:
    ranks = np.array([1 / value if value > 0 else np.inf for value in reciprocals])
    upper = np.inf if high is None else high + 0.5
    return float(np.mean((ranks > low - 0.5) & ((ranks < upper) | (high is None))))


def examples(record: RunRecord) -> dict[str, Any] | None:
    """Return the pairs that got better most and those that got worse most, or None without pairs."""
    pairs = sorted(pairs_of(record), key=lambda pair: -pair.gain)
    if not pairs:
        return None
    return {
        "count": len(pairs),
        "scored": pairs[0].gold is not None,
        "better_count": sum(pair.gain > 0 for pair in pairs),
        "worse_count": sum(pair.gain < 0 for pair in pairs),
        "lists": [
            ("Better", "good", [pair for pair in pairs[:MOST_EXAMPLES] if pair.gain > 0]),
            ("Worse", "bad", [pair for pair in reversed(pairs[-MOST_EXAMPLES:]) if pair.gain < 0]),
        ],
    }
