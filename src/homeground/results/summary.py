"""A verdict in words: a headline, a few short lines, and the same as one sentence; all follow from scores.json."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from homeground.statistics.glossary import metric
from homeground.wording import UNIT_NOUNS, count, in_terminal, is_number, percent

if TYPE_CHECKING:  # pydantic is slow to import, and predicting prints no verdict
    from homeground.results.parts import BaselineDifference, GeneralRecord, IntervalRecord, TrainingRecord
    from homeground.results.publication import ExportRecord
    from homeground.results.scores import CheckpointStanding, Judgement, MethodStanding, Scores


class Remark(NamedTuple):
    """One line of a summary: its topic, one word, and a phrase without a full stop."""

    topic: str
    text: str


def headline(scores: Judgement) -> str:
    """Return the word of a verdict, narrowed where the test says nothing of the use."""
    narrowed = scores.scope and scores.verdict in ("HELPED", "HURT")
    return f"{scores.verdict} {scores.scope}" if narrowed else scores.verdict


def prose(scores: Judgement) -> str:
    """Return the headline and the lines on result, reason, test and baseline as one paragraph."""
    lines = [line.text for line in judgement_lines(scores)]
    return f"{headline(scores)}: {'. '.join(text[:1].upper() + text[1:] for text in lines)}."


def summary_lines(scores: Scores) -> list[Remark]:
    """Return what a run showed in short lines: result, reason, head, test, baseline, general ability."""
    lines = judgement_lines(scores)
    if scores.head:
        lines.insert(1, Remark("before", "the checkpoint with a new head, which was fitted first with the rest frozen"))
    if learned := learned_line(scores.training):
        lines.append(Remark("trained", learned))
    if scores.training.matrix_share is not None:
        lines.append(Remark("speed", pace_line(scores.training)))
    return [*lines, *([Remark("general", general_line(scores.general))] if scores.general else [])]


def pace_line(training: TrainingRecord) -> str:
    """Return how fast a training learned, and how much of the machine it used; nothing where it took one step."""
    if training.items_per_second is None:
        return ""
    speed = f"{count(training.items_per_second, 'example')} a second"
    if training.matrix_share is None:
        return speed
    return f"{speed}, {training.matrix_share:.0%} of the machine's peak in multiplying matrices"


def learned_line(training: TrainingRecord) -> str:
    """Return how many parameters were trained, and how; nothing where all could learn."""
    if training.trained_parameters is None or (training.lora is None and training.freeze is None):
        return ""
    share = f"{count(training.trained_parameters)} of {count(training.parameters, 'parameter')}"
    if training.lora is None:
        return f"{share}, with --freeze {training.freeze}"
    lora = training.lora
    return f"{share}, with LoRA (r {lora.r}, alpha {lora.alpha:g}) on {', '.join(lora.layers)}"


def gate_failures(scores: Scores) -> list[str]:
    """Return why a model must not be shipped on these scores; nothing where it may be."""
    failures = [] if scores.verdict == "HELPED" else [f"the verdict is {scores.verdict}"]
    baseline = scores.baseline_difference
    if baseline and scores.verdict != "TOO FEW" and scores.baseline_standing != "BEATS":
        stands = "is below" if scores.baseline_standing == "BELOW" else "is not shown to beat"
        failures.append(f"the adapted model {stands} the baseline {baseline.name}")
    if scores.general and scores.general.verdict == "FORGOT":
        failures.append("general ability is FORGOT")
    return failures


def judgement_lines(scores: Judgement) -> list[Remark]:
    """Return what two measurements of one test showed: result, reason, test, baseline."""
    lines = [Remark("result", _result(scores))]
    if scores.reason:
        lines.append(Remark("reason", scores.reason))
    lines.append(Remark("test", _test(scores)))
    if scores.baseline_difference:
        lines.append(Remark("baseline", _baseline(scores, scores.baseline_difference)))
    return lines


def _result(scores: Judgement) -> str:
    words, seeds = metric(scores.primary_metric), scores.seeds
    before = scores.before.get(words.name)
    after = seeds.mean if seeds else scores.after.get(words.name)
    digits = digits_of(scores.difference)
    first, second = scores.sides
    over = f" over {scores.example}s and trainings" if seeds else ""
    change = change_in_words(scores.difference, digits, greater_is_better=words.greater_is_better, over=over)
    if not seeds:
        return f"{words.in_sentences} {decimal(before, digits)} {first} and {decimal(after, digits)} {second}, {change}"
    return (
        f"{words.in_sentences} {decimal(before, digits)} {first} and {decimal(after, digits)} {second} (mean of "
        f"{len(seeds.trainings)} trainings, standard deviation {decimal(seeds.standard_deviation, digits)}), {change}"
    )


def change_in_words(
    difference: IntervalRecord, digits: int, *, greater_is_better: bool | None = True, over: str = ""
) -> str:
    """Return a difference and its interval in words; the interval is missing where there are too few units for one.

    ``over`` says what the interval covers, where that is more than the choice of test items.
    """
    if not is_number(difference.value):
        return "a difference that could not be computed"
    sign = "" if greater_is_better else ", positive is better"
    value = f"a difference of {decimal(difference.value, digits, sign=True)}"
    if difference.low is None or difference.high is None:
        return f"{value} (no interval{sign})"
    return (
        f"{value} ({percent(difference.level)} interval{over} {decimal(difference.low, digits, sign=True)} to "
        f"{decimal(difference.high, digits, sign=True)}{sign})"
    )


def _test(scores: Judgement) -> str:
    parts = [units_of(scores)]
    if scores.left_out:
        parts.append(scores.left_out.sentence)
    if scores.cross_fit:
        parts.append(f"each predicted by a model that did not see it ({scores.cross_fit}-fold cross-fitting)")
    if is_number(scores.smallest_detectable) and scores.verdict != "TOO FEW":
        parts.append(f"a true difference of {in_terminal_digits(scores.smallest_detectable)} is found 4 times in 5")
    if scores.trainings:
        parts.append("the verdict is about the recipe; the saved model is that of the first seed")
    if scores.test_set.verdict_number > 1:
        parts.append(f"verdict no. {scores.test_set.verdict_number} on this test set")
    return "; ".join(parts)


def units_of(scores: Judgement) -> str:
    """Return what a test consists of: ``1,503 test pairs in 61 independent groups``."""
    examples = count(scores.test_examples, scores.example)
    if not scores.test_units or scores.test_units == scores.test_examples:
        return examples
    noun = UNIT_NOUNS.get(scores.unit)
    if noun is None:
        return f"{examples}, {count(scores.test_units)} of them independent"
    return f"{examples} in {count(scores.test_units, f'independent {noun}')}"


def _baseline(scores: Judgement, baseline: BaselineDifference) -> str:
    words, digits = metric(scores.primary_metric), digits_of(baseline)
    score = scores.baselines.get(baseline.name, {}).get(words.name)
    named = f"{baseline.name} ({decimal(score, digits)})"
    if baseline.low is None or baseline.high is None:
        return f"the best simple method is {named}"
    ends = f"{decimal(baseline.low, digits, sign=True)} to {decimal(baseline.high, digits, sign=True)}"
    by = f"{decimal(baseline.value, digits, sign=True)} ({percent(baseline.level)} interval {ends})"
    return {
        "BEATS": f"the adapted model beats the best baseline, {named}, by {by}",
        "BELOW": f"the adapted model is below the best baseline, {named}, by {by}",
    }.get(scores.baseline_standing or "", f"the adapted model is not shown to beat the best baseline, {named}: {by}")


def general_line(general: GeneralRecord) -> str:
    """Return what was found outside the domain, beginning with its word."""
    words, digits = metric(general.metric), digits_of(general.difference)
    before, after = decimal(general.before, digits), decimal(general.after, digits)
    change = change_in_words(general.difference, digits, greater_is_better=words.greater_is_better)
    limit = in_terminal_digits(general.margin)
    meaning = {
        "KEPT": f"a loss of {limit} or more is excluded",
        "FORGOT": f"the loss is larger than {limit}",
        "UNDECIDED": f"a loss of {limit} is neither shown nor excluded",
    }.get(general.verdict, "")
    low = general.difference.low
    if general.verdict == "UNDECIDED" and low is not None and low > -general.margin:
        meaning = ""  # excluded by the figures, but examples were learned from, as the reason says
    if not is_number(general.difference.value):
        return f"{general.verdict}: {general.reason or change}"
    return f"{general.verdict}: {words.in_sentences} {before} before and {after} after, " + "; ".join(
        filter(None, (change, meaning, general.reason))
    )


def export_line(record: ExportRecord) -> str:
    """Return what an export scores beside its model, how far their outputs differ, and how fast it is."""
    speed = record.speed
    than = "torch" if speed.device == "cpu" else f"torch on {speed.device}"
    return (
        f"{_export_scores(record)}; {speed.ratio:.2f} times as fast as {than} ({count(speed.batch_size, 'text')} of "
        f"{speed.tokens:.0f} tokens at once, {count(speed.threads, 'thread')})"
    )


def _export_scores(record: ExportRecord) -> str:
    """Return what an export scores; of one that equals its model one score, for the two differ by rounding alone."""
    words, parity = metric(record.primary_metric), record.parity
    examples = count(record.test_examples, record.example)
    if record.seen:
        learned = f"of which the model has learned {count(record.seen)}"
        examples = f"{examples}, {learned}, so that this is agreement and no score of new texts"
    if record.verdict == "EQUAL":
        return (
            f"{record.name} equals the model but for rounding (largest difference of {parity.outputs} "
            f"{parity.largest:.2g}): {words.in_sentences} {decimal(record.after, words.decimals)} on {examples}"
        )
    digits = digits_of(record.difference)
    before, after = decimal(record.before, digits), decimal(record.after, digits)
    change = change_in_words(record.difference, digits, greater_is_better=words.greater_is_better)
    equal = "" if parity.equal is None else f", {percent(parity.equal, 2)} of the predictions are equal"
    cosine = (
        "" if parity.lowest_cosine is None else f", the lowest cosine of a text's two is {parity.lowest_cosine:.4f}"
    )
    return (
        f"{words.in_sentences} {before} with torch in fp32 and {after} as {record.name}, {change}, on {examples}; "
        f"{parity.outputs} differ by up to {parity.largest:.2g}{equal}{cosine}"
    )


def checkpoint_sentence(
    name: str, checkpoints: Sequence[CheckpointStanding], baselines: Sequence[MethodStanding], examples: int
) -> str:
    """Return how the checkpoints and the baselines compare with the best checkpoint, by the metric of this name."""
    best, *others = [each for each in checkpoints if each.standing != "SEEN"]
    value = best.scores.get(name)
    score = f"{metric(name).in_sentences} {'not defined' if value is None else f'{value:.3f}'}"
    first = f"{best.name} scores best, {score}" if others else f"{best.name} has {score}"
    learned = [
        f"; {each.name} learned from {each.seen_in_training} of the {examples} examples and cannot be chosen"
        for each in checkpoints
        if each.standing == "SEEN"
    ]
    if best.standing == "TOO FEW":
        few = best.interval.units
        advice = f"but {few} independent units are too few, too unequal, or lack some class; take more data"
        return f"TOO FEW: {first}, {advice}{''.join(learned)}."
    alike = [each.name for each in others if each.standing != "WORSE"]
    rest = f", but is not shown to be better than {' and '.join(alike)}" if alike else ", and the others are worse"
    rest = rest if others else ", and is the only one that can be chosen"
    cheap = [each.name for each in baselines if each.standing != "WORSE"]
    below = f"; it is not shown to beat {' and '.join(cheap)}" if cheap else ""
    return f"{first}{rest}{below}{''.join(learned)}."


def digits_of(difference: IntervalRecord) -> int:
    """Return the decimals, 3 to 6, at which no difference and no end of an interval that is not 0 reads as 0."""
    return max(_digits(end) for end in (difference.value, difference.low, difference.high))


def in_terminal_digits(value: float) -> str:
    """Return a small number with at least three decimals, and as many more as keep it from reading as 0."""
    return decimal(value, _digits(value))


def decimal(value: float | None, digits: int, *, sign: bool = False) -> str:
    """Return a number in ASCII with this many decimals; ``not defined`` where there is none.

    >>> decimal(-0.00004, 3, sign=True), decimal(0.5, 3, sign=True), decimal(None, 3)
    ('0.000', '+0.500', 'not defined')
    """
    return in_terminal(value, sign=sign, decimals=digits) or "not defined"


def _digits(number: float | None) -> int:
    if not is_number(number) or number == 0:
        return 3
    return min(6, max(3, math.ceil(-math.log10(abs(number)))))
