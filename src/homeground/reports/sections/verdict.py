"""The verdict: did it help, how sure is that and why, what was lost, and what to do."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from homeground.evaluation.verdict import FEWEST_UNITS
from homeground.reports.bars import number_line
from homeground.reports.task_pages import task_page
from homeground.results.parts import SeedsRecord
from homeground.results.record import RunRecord
from homeground.results.scores import Scores
from homeground.statistics.glossary import metric
from homeground.wording import count, percent, shorten

MOST_TIMES_LARGER = 100
"""The largest test that is advised, in multiples of the present one."""


class Look(NamedTuple):
    """The colour and the shape of a verdict.

    The shape tells verdicts apart where colour cannot: in print, in grey, or to eyes that see red and green alike.
    """

    tone: str
    shape: str


UNKNOWN_LOOK = Look("open", "ring")
LOOKS = {
    "HELPED": Look("good", "up"),
    "NO EVIDENCE": UNKNOWN_LOOK,
    "HURT": Look("bad", "down"),
    "TOO FEW": Look("few", "dots"),
    "KEPT": Look("good", "level"),
    "FORGOT": Look("bad", "down"),
    "UNDECIDED": UNKNOWN_LOOK,
    "not measured": Look("few", "dots"),
}


def look(word: str) -> Look:
    """Return the look of a verdict, by its word."""
    return LOOKS.get(word, UNKNOWN_LOOK)


def verdict(record: RunRecord) -> dict[str, Any]:
    """Return what the first screen shows."""
    scores, item = record.scores, task_page(record).item
    primary = metric(scores.primary_metric)
    detectable = scores.smallest_detectable
    general = scores.general.verdict if scores.general else "not measured"
    return {
        "checkpoint": shorten(record.checkpoint.name or "", 80),
        "data": shorten(_data_name(record), 80),
        "look": look(scores.verdict),
        "sentence": without_word(scores.sentence, scores.verdict),
        "metric": primary,
        "after": scores.seeds.mean if scores.seeds else scores.after.get(primary.name),
        "line": number_line(
            scores.difference,
            band=None if detectable is None else (-detectable, detectable),
            decimals=primary.decimals,
        ),
        "general_word": general,
        "general_look": look(general),
        "general_metric": metric(scores.general.metric if scores.general else ""),
        "why": why(scores, item),
        "surer": stronger_evidence(scores, item),
        "advice": advice(record),
    }


def without_word(sentence: str, word: str) -> str:
    """Return the sentence of a verdict without its word, which stands above it.

    >>> without_word("HELPED: Accuracy 0.8", "HELPED"), without_word("HURT at predicting words: …", "HURT")
    ('Accuracy 0.8', 'At predicting words: …')
    """
    rest = sentence.removeprefix(word).removeprefix(":").strip()
    return rest[:1].upper() + rest[1:]


def _data_name(record: RunRecord) -> str:
    """Return the name of the file that was adapted to, without its folders."""
    path = record.recipe.get("data") or (record.data.files[0].path if record.data.files else "")
    return str(path).replace("\\", "/").rsplit("/", 1)[-1]


def units_of(scores: Scores, item: str) -> str:
    """Return what the test consists of: ``1,503 test pairs in 61 independent units (group)``."""
    text = count(scores.test_examples, f"test {item}")
    if not scores.test_units:
        return text
    if scores.test_units == scores.test_examples:
        return f"{text}, each independent of the others"
    return f"{text} in {count(scores.test_units, 'independent unit')}" + (f" ({scores.unit})" if scores.unit else "")


def why(scores: Scores, item: str) -> str:
    """Return in one or two sentences how sure the verdict is and what it rests on."""
    level, trainings = percent(scores.difference.level), scores.trainings
    crossed = f"; each was scored by one of {scores.cross_fit} models that had not seen it" if scores.cross_fit else ""
    basis = f"It rests on {units_of(scores, item)}{crossed}. {_coverage(scores, item)}"
    if scores.verdict == "TOO FEW":
        few = f"With fewer than {FEWEST_UNITS} independent units"
        if scores.test_units >= FEWEST_UNITS:
            few = "Where a few units, or a class that hardly occurs, move the score most,"
        return (
            f"Not sure at all: the test holds {units_of(scores, item)}. {few} an interval promises more than it can "
            "keep, so no verdict is given."
        )
    if scores.verdict in ("HELPED", "HURT"):
        side, change = ("above", "gain") if scores.verdict == "HELPED" else ("below", "loss")
        return (
            f"Sure at the {level} level: the whole interval lies {side} 0, so chance in the choice of test "
            f"{item}s{' and in training' if trainings else ''} is an unlikely reason for the {change}. {basis}"
        )
    if shows_gain(scores):
        return f"The interval lies above 0, but the gain cannot be counted: {_objection(scores, item)} {basis}"
    return f"Not sure: the {level} interval contains 0, so the change may be chance. {basis}"


def _coverage(scores: Scores, item: str) -> str:
    """Return what the interval covers."""
    if scores.trainings:
        return (
            f"The interval covers the choice of test {item}s and the luck of training, which {len(scores.trainings)} "
            "trainings show: the verdict is about the recipe. The model that is kept is that of the first seed."
        )
    return f"The interval covers the choice of test {item}s only, not the luck of one training."


def _objection(scores: Scores, item: str) -> str:
    if scores.seen_in_training:
        return f"{count(scores.seen_in_training, f'test {item}')} had been seen in training."
    if changes := scores.mcnemar:
        return f"the two models differ on {count(changes.fixed + changes.broke, f'test {item}')} only."
    return "see the notes on the scores."


def stronger_evidence(scores: Scores, item: str) -> str:
    """Return what would make the verdict surer."""
    sentences: list[str] = []
    word, units, trainings = scores.verdict, scores.test_units, len(scores.trainings)
    if word == "TOO FEW":
        missing = f" (there are {count(units)})" if units else ""
        fewest = scores.units_needed if units >= FEWEST_UNITS else FEWEST_UNITS
        wanted = "More" if fewest is None else f"At least {count(fewest)}"
        sentences.append(f"{wanted} independent units in the test{missing}; 100 or more give narrow intervals.")
    elif word == "NO EVIDENCE" and not shows_gain(scores) and trainings:
        share = seeds_share(scores.seeds)
        sentences.append(
            f"A larger test, or more trainings (--seeds {2 * trainings})"
            + (f": {share} of the variance comes from the trainings." if share else ".")
        )
    elif word == "NO EVIDENCE" and not shows_gain(scores):
        sentences.append(larger_test(scores))
    if scores.seen_in_training:
        sentences.append(f"A test without the {item}s that were seen in training.")
    if scores.test_set.verdict_number > 1:
        times = count(scores.test_set.verdict_number, "time")
        sentences.append(f"A fresh test set: this one has now been asked {times}.")
    if word in ("HELPED", "HURT") and not trainings:
        sentences.append("Trainings with other seeds (--seeds 5), which bring their luck into the interval.")
    return " ".join(sentence for sentence in sentences if sentence)


def seeds_share(seeds: SeedsRecord | None) -> str:
    """Return which part of the variance of the mean difference comes from the trainings; empty where none is known."""
    if seeds is None or seeds.items_error is None or seeds.seeds_error is None:
        return ""
    whole = seeds.items_error**2 + seeds.seeds_error**2
    return percent(seeds.seeds_error**2 / whole) if whole else ""


def shows_gain(scores: Scores) -> bool:
    """Return whether the interval lies above 0, which examples seen in training may keep from being counted."""
    return scores.difference.low is not None and scores.difference.low > 0


def larger_test(scores: Scores) -> str:
    """Return how many test units would make a change of the size seen detectable; empty when nothing is known.

    The detectable effect shrinks with the square root of the number of units. The number is rounded up to two digits.

    >>> difference = {"value": 0.01}
    >>> larger_test(Scores.model_validate({"difference": difference, "smallest_detectable": 0.02, "test_units": 61}))
    'About 250 independent test units would show a change of the size seen here.'
    """
    value, detectable, units = scores.difference.value, scores.smallest_detectable, scores.test_units
    if value is None or detectable is None or not units:
        return ""
    if abs(value) <= detectable / math.sqrt(MOST_TIMES_LARGER):
        return "The change seen is so small that even a test a hundred times as large could not tell it from chance."
    needed = max((detectable / value) ** 2, 1) * units
    step = 10 ** max(int(math.log10(needed)) - 1, 0)
    rounded = count(math.ceil(needed / step) * step, "independent test unit")
    return f"About {rounded} would show a change of the size seen here."


def advice(record: RunRecord) -> str:
    """Return what to do with the adapted model."""
    scores, page = record.scores, task_page(record)
    word, general = scores.verdict, scores.general.verdict if scores.general else ""
    if word == "HURT":
        return (
            "Do not use the adapted model. Look at what got worse below, then at the data; "
            "a lower learning rate or fewer epochs may do."
        )
    if word == "TOO FEW":
        more = page.more.format(item=page.item)
        return f"Do not decide on this test. Gather more {more}, or split them with a larger test share (--test 0.3)."
    if word != "HELPED" and shows_gain(scores):
        items = f"{page.item}s that the model did not learn from" if scores.seen_in_training else f"more {page.item}s"
        return f"Test again with {items}; until then keep using the checkpoint."
    if word != "HELPED" and scores.head:
        return (
            "Keep the checkpoint as it is, with a head on top: nothing shows that adapting changed it for the better."
        )
    if word != "HELPED":
        return "Keep using the checkpoint as it is: nothing shows that adapting changed it for the better."
    if scores.below_baseline:
        return "Do not ship it yet: it gained, but a plain baseline is not beaten. Look at the baseline first."
    if general == "FORGOT":
        other = "" if scores.merging else ", or adapt again with --keep-general FILE"
        return f"Use the adapted model for texts of this domain only{other}; keep the checkpoint for everything else."
    if page.advice:
        return page.advice
    if general == "KEPT":
        return "Use the adapted model: it is better in this domain and as good as before outside it."
    return "Use the adapted model for texts of this domain; what it does outside it has not been settled."
