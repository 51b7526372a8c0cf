"""The verdict: did adapting help, how certain is that and why, what was lost, and what to do."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from homeground.data.units import MIN_UNITS
from homeground.reports.bars import number_line
from homeground.reports.task_pages import task_page
from homeground.results.advice import advice
from homeground.results.parts import SeedsRecord
from homeground.results.record import RunRecord
from homeground.results.scores import Scores
from homeground.results.summary import headline, summary_lines
from homeground.statistics.glossary import metric
from homeground.wording import count, percent, shorten

MOST_TIMES_LARGER = 20
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


TOPICS = {
    "result": "Result",
    "reason": "Why",
    "before": "Before",
    "test": "Test",
    "baseline": "Simple methods",
}
"""What the page calls the lines of a summary."""


ALTERNATIVES = {
    "before": "The original checkpoint with its fitted head",
    "baseline": "The bag of words (TF-IDF)",
}
"""What may be used instead of the adapted model, by its folder in the run."""


def masthead(record: RunRecord) -> dict[str, str]:
    """Return the checkpoint and the data, for the top of the page."""
    return {"checkpoint": shorten(record.checkpoint.name or "", 80), "data": shorten(_data_name(record), 80)}


def verdict(record: RunRecord) -> dict[str, Any]:
    """Return what the first screen shows."""
    scores, page = record.scores, task_page(record)
    primary, general = metric(scores.primary_metric), scores.general
    detectable, word = scores.smallest_detectable, general.verdict if general else "not measured"
    lines = dict(summary_lines(scores))
    return {
        "headline": headline(scores),
        "look": look(scores.verdict),
        "advice": advice(scores),
        "metric": primary,
        "after": scores.seeds.mean if scores.seeds else scores.after.get(primary.name),
        "line": number_line(
            scores.difference,
            band=None if detectable is None else (-detectable, detectable),
            decimals=primary.decimals,
        ),
        "lines": [(TOPICS[topic], text) for topic, text in lines.items() if topic in TOPICS],
        "general_look": look(word),
        "general_word": word,
        "general": lines.get("general", "").removeprefix(f"{word}: "),
        "general_name": str(general.name).replace("\\", "/").rsplit("/", 1)[-1] if general else "",
        "coverage": "" if scores.difference.low is None else _coverage(scores, page.item),
        "evidence": stronger_evidence(scores, page.item),
        "snippets": page.snippets(record),
        "alternatives": [(words, name) for name, words in ALTERNATIVES.items() if name in record.alternatives],
    }


def without_word(sentence: str, word: str) -> str:
    """Return the sentence of a verdict without its word, which is shown above it.

    >>> without_word("HELPED: Accuracy 0.8", "HELPED"), without_word("HURT at predicting words: …", "HURT")
    ('Accuracy 0.8', 'At predicting words: …')
    """
    rest = sentence.removeprefix(word).removeprefix(":").strip()
    return rest[:1].upper() + rest[1:]


def _data_name(record: RunRecord) -> str:
    """Return the name of the file that was adapted to, without its folders."""
    path = record.recipe.get("data") or (record.data.files[0].path if record.data.files else "")
    return str(path).replace("\\", "/").rsplit("/", 1)[-1]


def _coverage(scores: Scores, item: str) -> str:
    """Return what the interval covers."""
    if scores.trainings:
        return (
            f"The interval covers the choice of test {item}s and the variance between training runs, estimated from "
            f"{len(scores.trainings)} runs: the verdict is about the recipe. The saved model is that of the first seed."
        )
    return f"The interval covers the choice of test {item}s only, not the variance between training runs."


def stronger_evidence(scores: Scores, item: str) -> str:
    """Return what would make the verdict more certain."""
    sentences: list[str] = []
    word, units, trainings = scores.verdict, scores.test_units, len(scores.trainings)
    if word == "TOO FEW":
        missing = f" (there are {count(units)})" if units else ""
        fewest = scores.units_needed if units >= MIN_UNITS else MIN_UNITS
        wanted = "More" if fewest is None else f"At least {count(fewest)}"
        sentences.append(f"{wanted} independent units in the test set{missing}; 100 or more give narrow intervals.")
    elif word == "NO EVIDENCE" and not shows_gain(scores) and trainings:
        share = seeds_share(scores.seeds)
        sentences.append(
            f"A larger test set, or more training runs (--seeds {2 * trainings})"
            + (f": {share} of the variance is between training runs." if share else ".")
        )
    elif word == "NO EVIDENCE" and not shows_gain(scores):
        sentences.append(larger_test(scores))
    if scores.contaminated:
        sentences.append(f"A test set without the {item}s from the training data.")
    if scores.test_set.verdict_number > 1:
        verdicts = count(scores.test_set.verdict_number, "verdict")
        sentences.append(f"A new test set: this one has now been used for {verdicts}.")
    if word in ("HELPED", "HURT") and not trainings:
        sentences.append(
            "Training runs with other seeds (--seeds 5): the interval then covers the variance between them."
        )
    return " ".join(sentence for sentence in sentences if sentence)


def seeds_share(seeds: SeedsRecord | None) -> str:
    """Return which part of the variance of the mean difference comes from the trainings; empty where none is known."""
    if seeds is None or seeds.items_error is None or seeds.seeds_error is None:
        return ""
    whole = seeds.items_error**2 + seeds.seeds_error**2
    return percent(seeds.seeds_error**2 / whole) if whole else ""


def shows_gain(scores: Scores) -> bool:
    """Return whether the interval is above 0; the gain still does not count where test examples were trained on."""
    return scores.difference.low is not None and scores.difference.low > 0


def larger_test(scores: Scores) -> str:
    """Return how many test units would make a change of this size detectable; empty when nothing is known.

    The detectable effect shrinks with the square root of the number of units. The number is rounded up to two digits.

    >>> difference = {"value": 0.01}
    >>> larger_test(Scores.model_validate({"difference": difference, "smallest_detectable": 0.02, "test_units": 61}))
    'About 250 independent test units are needed to detect a change of this size.'
    """
    value, detectable, units = scores.difference.value, scores.smallest_detectable, scores.test_units
    if value is None or detectable is None or not units:
        return ""
    if abs(value) <= detectable / math.sqrt(MOST_TIMES_LARGER):
        return f"The change is so small that even a test set {MOST_TIMES_LARGER} times as large could not detect it."
    needed = max((detectable / value) ** 2, 1) * units
    step = 10 ** max(int(math.log10(needed)) - 1, 0)
    rounded = count(math.ceil(needed / step) * step, "independent test unit")
    return f"About {rounded} are needed to detect a change of this size."
