"""What may be said about a difference: one word, and the reason where it is not the interval alone.

The word follows from the interval alone: HELPED above 0, HURT below, else NO EVIDENCE; TOO FEW where the test set holds
too few independent units for any interval to be trusted. General ability is KEPT above minus the margin, FORGOT below
it, else UNDECIDED.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from homeground.data.units import MIN_UNITS
from homeground.statistics.bootstrap import FEWEST_EFFECTIVE_UNITS, UNDEFINED_DRAWS, Interval
from homeground.statistics.paired_shares import FEWEST_DISCORDANT, ShareChange
from homeground.statistics.power import smallest_detectable, units_needed
from homeground.tasks.task import RareClass

DomainWord = Literal["HELPED", "HURT", "NO EVIDENCE", "TOO FEW"]
GeneralWord = Literal["KEPT", "FORGOT", "UNDECIDED", "TOO FEW"]


@dataclass(frozen=True)
class Verdict:
    """What is said about the domain.

    ``reason`` says why the interval alone does not decide, or why there is none. ``needed`` is the number of units
    wanted where they are too few.
    """

    word: DomainWord
    reason: str
    smallest_detectable: float
    needed: int | None


@dataclass(frozen=True)
class GeneralVerdict:
    """What is said about general ability: why the interval alone does not decide, and how many units would."""

    word: GeneralWord
    reason: str
    needed: int | None


@dataclass(frozen=True)
class Figures:
    """What was measured, for the sentences: the metric before and after, and on what.

    ``example`` and ``unit`` are singular nouns, such as "test pair" and "group"; they are the same word where every
    example stands alone. Of several ``trainings`` with different seeds ``after`` is the mean and ``spread`` the
    standard deviation. ``sides`` are what the two scores are called. ``too_rare`` is a class that counts as much as any
    and that too few of the units have.
    """

    metric: str
    before: float
    after: float
    examples: int
    example: str = "test example"
    unit: str = "test example"
    trainings: int = 1
    spread: float = 0.0
    sides: tuple[str, str] = ("before", "after")
    too_rare: RareClass | None = None


SMALLEST_DIFFERENCE = 1e-6
"""What float32 and the batches of measuring move a score by; a difference that is smaller for sure is none."""


def domain_verdict(
    interval: Interval,
    figures: Figures,
    *,
    discordant: int | None = None,
    overlap: int = 0,
    overlap_before: int = 0,
    unchanged: bool = False,
) -> Verdict:
    """Return whether adapting helped.

    ``discordant`` counts the units that the models score differently, for shares; fewer than
    ``FEWEST_DISCORDANT`` are no evidence. ``overlap`` counts test examples that are in the training data; any blocks
    HELPED. ``overlap_before`` counts those that the model before learned from; any blocks HURT. ``unchanged`` says that
    the model that is kept is the checkpoint itself, though the models of the other folds are not; that blocks both.
    """
    # Student's t of the interval: over several trainings that of their number.
    counted = min(interval.effective_units, figures.trainings) if figures.trainings > 1 else interval.effective_units
    detectable = smallest_detectable(interval.standard_error, counted, degrees=interval.degrees, level=interval.level)
    shortage, needed = _shortage(interval, figures)
    if shortage:
        return Verdict("TOO FEW", shortage, math.nan, needed)
    reason = _objection(
        interval, figures, discordant=discordant, overlap=overlap, overlap_before=overlap_before, unchanged=unchanged
    )
    word: DomainWord = "NO EVIDENCE"
    if not reason and interval.low > 0:
        word = "HELPED"
    elif not reason and interval.high < 0:
        word = "HURT"
    return Verdict(word, reason, detectable if interval.standard_error > 0 else math.nan, None)


def _objection(
    interval: Interval,
    figures: Figures,
    *,
    discordant: int | None,
    overlap: int,
    overlap_before: int,
    unchanged: bool,
) -> str:
    """Return why a difference must not be counted though the units are enough; empty where nothing is against it."""
    first, second = figures.sides
    effect = interval.low > 0 or interval.high < 0
    if not math.isfinite(interval.value):
        return f"{figures.metric} could not be computed, as where all scores are the same"
    if discordant == 0 or interval.value == interval.standard_error == 0:
        return f"the two scores are the same, and no {figures.unit} is scored differently"
    if effect and max(abs(interval.low), abs(interval.high)) < SMALLEST_DIFFERENCE:
        return "the two scores are the same but for rounding"
    if discordant is not None and discordant < FEWEST_DISCORDANT:
        average = " on average" if figures.trainings > 1 else ""
        return (
            f"the two models are scored differently on only {_count(discordant, figures.unit)}{average}, and fewer "
            f"than {FEWEST_DISCORDANT} show nothing"
        )
    if effect and unchanged:
        changed = "improved" if interval.low > 0 else "got worse"
        return (
            "nothing was kept of what was learned, so the model is the checkpoint, and only the models of the other "
            f"folds {changed}"
        )
    if interval.low > 0 and overlap:
        return f"the model {second} learned from {_count(overlap, figures.example)}, so its lead may be memory"
    if interval.high < 0 and overlap_before:
        return f"the model {first} learned from {_count(overlap_before, figures.example)}, so its lead may be memory"
    return ""


def general_verdict(
    interval: Interval, margin: float, figures: Figures, *, change: ShareChange | None = None, seen: int = 0
) -> GeneralVerdict:
    """Return whether general ability stayed within the margin (0 or more).

    A non-inferiority test, so "no difference found" is not enough for KEPT: the interval must exclude a loss of the
    margin. For a share the interval must be a cautious one, see ``EvaluationSet.difference``, and ``change`` says how
    many units changed. ``seen`` counts examples that were learned from; any block KEPT. For UNDECIDED ``needed`` is the
    size at which a model that lost nothing would be KEPT 4 times in 5 or, where the test set has that size already, the
    size that tells the measured difference from the margin.
    """
    shortage, needed = _shortage(interval, figures)
    if shortage:
        return GeneralVerdict("TOO FEW", shortage, needed)
    if not math.isfinite(interval.value):
        return GeneralVerdict(
            "UNDECIDED", f"{figures.metric} could not be computed, as where all scores are the same", None
        )
    if interval.low > -margin:
        if not seen:
            return GeneralVerdict("KEPT", "", None)
        learned = f"{_count(seen, figures.example)} of it {'was' if seen == 1 else 'were'} learned from"
        return GeneralVerdict("UNDECIDED", f"{learned}, so keeping them shows nothing", None)
    if interval.high < -margin:
        return GeneralVerdict("FORGOT", "", None)
    needed = _to_decide(interval, margin, change)
    size = "no test set of a practical size" if needed is None else f"about {_size(needed, interval, figures)}"
    return GeneralVerdict("UNDECIDED", f"{_few_changes(change, interval, figures)}{size} would decide", needed)


def _few_changes(change: ShareChange | None, interval: Interval, figures: Figures) -> str:
    """Return that hardly anything changed, and on how few units; empty where enough did, or the metric is no share."""
    if change is None or change.discordant >= FEWEST_DISCORDANT:
        return ""
    changed = f"only {_count(change.discordant, figures.unit)}" if change.discordant else f"no {figures.unit}"
    return f"{changed} changed, but {_count(interval.units, figures.unit)} are too few to exclude a loss; "


def _shortage(interval: Interval, figures: Figures) -> tuple[str, int | None]:
    """Return why the interval cannot be trusted, empty where it can, and the units needed."""
    if interval.units < MIN_UNITS:
        have = _count(interval.units, f"independent {figures.unit}", "is", "are")
        return f"there {have}; at least {_size(MIN_UNITS, interval, figures)} are needed", MIN_UNITS
    if interval.effective_units == 0:
        return f"there is nothing in the {figures.example}s that {figures.metric} could be measured on", None
    if interval.effective_units < FEWEST_EFFECTIVE_UNITS:
        ratio = FEWEST_EFFECTIVE_UNITS / interval.effective_units
        return (
            f"a few of the {_count(interval.units, figures.unit)} hold most of the {figures.example}s, so that they "
            f"say no more than {interval.effective_units:.0f} of equal size would; at least "
            f"{FEWEST_EFFECTIVE_UNITS} are needed"
        ), math.ceil(interval.units * ratio)
    if (rare := figures.too_rare) is not None:
        needed = math.ceil(interval.units * rare.needed / rare.units)
        return (
            f'the class "{rare.label}" counts as much as any other and occurs in {_count(rare.units, figures.unit)} '
            f"only; every class needs {rare.needed}, so about {_size(needed, interval, figures)} of this kind"
        ), needed
    if interval.undefined > UNDEFINED_DRAWS * interval.draws and math.isfinite(interval.value):
        share = interval.undefined / interval.draws
        return f"in {share:.0%} of the resamples {figures.metric} could not be computed", None
    return "", None


def _to_decide(interval: Interval, margin: float, change: ShareChange | None) -> int | None:
    known = {"standard_error": interval.standard_error, "units": interval.units, "level": interval.level}
    needed = units_needed(margin, **known)
    if needed is not None and needed <= interval.units:
        needed = units_needed(abs(interval.value + margin), **known)
    if change is None or needed is None or interval.value <= -margin:
        return needed
    effective = change.units_to_exclude(margin, interval.level)
    return None if effective is None else max(needed, math.ceil(effective * interval.units / change.units))


def _size(units: int, interval: Interval, figures: Figures) -> str:
    """Return so many units in words, with the examples they would come to at the present size of a unit."""
    if figures.unit == figures.example or not interval.units:
        return _count(units, figures.unit)
    examples = math.ceil(units * figures.examples / interval.units)
    return f"{_count(units, figures.unit)} (about {_count(examples, figures.example)})"


def _count(number: int, noun: str, one: str = "", many: str = "") -> str:
    verb = one if number == 1 else many
    return f"{verb} {number:,} {noun}{'' if number == 1 else 's'}".strip()
