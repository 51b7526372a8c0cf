"""The verdict: did it help, how sure is that and why, what was lost, and what to do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from homeground.reports.charts import NumberLine, number_line
from homeground.reports.sections.seeds import seeds_share
from homeground.results.record import RunRecord, part, parts
from homeground.statistics.glossary import metric
from homeground.wording import count, interval, is_number, number, percent, shorten, signed

FEWEST_UNITS = 30
"""Below this many independent test units no interval is trusted, and the verdict is TOO FEW."""

# The shape tells the verdict apart where colour cannot: in print, in grey, or to eyes that see red and green alike.
LOOKS = {
    "HELPED": ("good", "up"),
    "NO EVIDENCE": ("open", "ring"),
    "HURT": ("bad", "down"),
    "TOO FEW": ("few", "dots"),
    "KEPT": ("good", "level"),
    "FORGOT": ("bad", "down"),
    "UNDECIDED": ("open", "ring"),
    "not measured": ("few", "dots"),
}


def verdict(record: RunRecord) -> dict[str, Any]:
    """Return what the first screen says."""
    scores = record.scores
    word = str(scores.get("verdict") or "TOO FEW")
    primary = metric(str(scores.get("primary_metric") or ""))
    difference = part(scores, "difference")
    tone, shape = LOOKS.get(word, ("open", "ring"))
    return {
        "checkpoint": shorten(record.checkpoint.get("name") or "", 80),
        "data": shorten(_data_name(record), 80),
        "word": word,
        "tone": tone,
        "shape": shape,
        "sentence": _sentence(str(scores.get("sentence") or ""), word),
        "metric": primary,
        "before": number(part(scores, "before").get(primary.name), primary.decimals),
        "after": number(_after(scores, primary.name), primary.decimals),
        "trainings": len(trainings(scores)),
        "difference": signed(difference.get("value"), primary.decimals),
        "interval": interval(difference, primary.decimals),
        "level": percent(difference.get("level", 0.95)),
        "line": _line(scores, primary.decimals),
        "detectable": number(scores.get("smallest_detectable"), primary.decimals),
        "has_detectable": is_number(scores.get("smallest_detectable")),
        "general": _general(scores),
        "why": why(scores, record.item),
        "surer": surer(scores, record.item, share=seeds_share(record)),
        "advice": advice(record),
    }


def _sentence(sentence: str, word: str) -> str:
    """Return the sentence of a verdict without its word, which stands above it.

    >>> _sentence("HELPED: Accuracy 0.8", "HELPED"), _sentence("HURT at predicting words: …", "HURT")
    ('Accuracy 0.8', 'At predicting words: …')
    """
    rest = sentence.removeprefix(word).removeprefix(":").strip()
    return rest[:1].upper() + rest[1:]


def _data_name(record: RunRecord) -> str:
    """Return the name of the file that was adapted to, without its folders."""
    files = parts(record.data, "files")
    path = record.recipe.get("data") or (files[0].get("path") if files else "")
    return str(path).replace("\\", "/").rsplit("/", 1)[-1]


def _line(scores: Mapping[str, Any], decimals: int) -> NumberLine | None:
    difference = part(scores, "difference")
    detectable = scores.get("smallest_detectable")
    band = (-detectable, detectable) if is_number(detectable) else None
    return number_line(difference, band=band, decimals=decimals)


def _general(scores: Mapping[str, Any]) -> dict[str, Any]:
    general = part(scores, "general")
    word = str(general.get("verdict") or "not measured")
    tone, shape = LOOKS.get(word, ("open", "ring"))
    decimals = metric(str(general.get("metric") or "")).decimals
    return {
        "measured": bool(general),
        "word": word,
        "tone": tone,
        "shape": shape,
        "name": general.get("name", ""),
        "metric": metric(str(general.get("metric") or "")).label,
        "before": number(general.get("before"), decimals),
        "after": number(general.get("after"), decimals),
        "margin": number(general.get("margin"), 2),
        "interval": interval(part(general, "difference"), decimals),
    }


def trainings(scores: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the trainings of a run with ``--seeds``; none where there was one."""
    return parts(part(scores, "seeds"), "trainings")


def _after(scores: Mapping[str, Any], name: str) -> Any:
    """Return the deciding score that the verdict is about: over several trainings their mean."""
    return part(scores, "seeds").get("mean") if trainings(scores) else part(scores, "after").get(name)


def units_of(scores: Mapping[str, Any], item: str) -> str:
    """Return what the test consists of: ``1,503 test pairs in 61 independent units (group)``."""
    pairs, units = scores.get("test_examples"), scores.get("test_units")
    text = count(pairs, f"test {item}")
    if not is_number(units) or units == pairs:
        return f"{text}, each independent of the others" if is_number(units) else text
    unit = str(scores.get("unit") or "")
    return f"{text} in {count(units, 'independent unit')}" + (f" ({unit})" if unit else "")


def why(scores: Mapping[str, Any], item: str) -> str:
    """Return in one or two sentences how sure the verdict is and what it rests on."""
    word = scores.get("verdict")
    difference = part(scores, "difference")
    level = percent(difference.get("level", 0.95))
    basis = f"It rests on {units_of(scores, item)}."
    if folds := scores.get("cross_fit"):
        basis = f"It rests on {units_of(scores, item)}; each was scored by one of {folds} models that had not seen it."
    basis += f" {_covered(scores, item)}"
    if word == "TOO FEW":
        few = f"With fewer than {FEWEST_UNITS} independent units"
        if _enough_units(scores):
            few = "Where a few units, or a class that hardly occurs, move the score most,"
        return (
            f"Not sure at all: the test holds {units_of(scores, item)}. {few} an interval promises more than it can "
            "keep, so no verdict is given."
        )
    if word in ("HELPED", "HURT"):
        side, change = ("above", "gain") if word == "HELPED" else ("below", "loss")
        return (
            f"Sure at the {level} level: the whole interval lies {side} 0, so chance in the choice of test "
            f"{item}s{' and in training' if trainings(scores) else ''} is an unlikely reason for the {change}. {basis}"
        )
    if gained(scores):
        return f"The interval lies above 0, but the gain cannot be counted: {_objection(scores, item)} {basis}"
    return f"Not sure: the {level} interval contains 0, so the change may be chance. {basis}"


def _covered(scores: Mapping[str, Any], item: str) -> str:
    """Say what the interval covers."""
    if several := trainings(scores):
        return (
            f"The interval covers the choice of test {item}s and the luck of training, which {len(several)} trainings "
            "show: the verdict is about the recipe. The model that is kept is that of the first seed."
        )
    return f"The interval covers the choice of test {item}s only, not the luck of one training."


def _objection(scores: Mapping[str, Any], item: str) -> str:
    seen = scores.get("seen_in_training") or 0
    if seen:
        return f"{count(seen, f'test {item}')} had been seen in training."
    changes = part(scores, "mcnemar")
    if changes:
        differing = int(changes.get("fixed") or 0) + int(changes.get("broke") or 0)
        return f"the two models differ on {count(differing, f'test {item}')} only."
    return "see the notes on the scores."


def _enough_units(scores: Mapping[str, Any]) -> bool:
    units = scores.get("test_units")
    return is_number(units) and units >= FEWEST_UNITS


def surer(scores: Mapping[str, Any], item: str, *, share: str = "") -> str:
    """Return what would make the verdict surer; ``share`` is how much of the variance comes from the trainings."""
    sentences: list[str] = []
    word, units = scores.get("verdict"), scores.get("test_units")
    if word == "TOO FEW":
        missing = f" (there are {count(units)})" if is_number(units) else ""
        fewest = scores.get("units_needed") if _enough_units(scores) else FEWEST_UNITS
        wanted = f"At least {count(fewest)}" if is_number(fewest) else "More"
        sentences.append(f"{wanted} independent units in the test{missing}; 100 or more give narrow intervals.")
    elif word == "NO EVIDENCE" and not gained(scores) and trainings(scores):
        sentences.append(
            f"A larger test, or more trainings (--seeds {2 * len(trainings(scores))})"
            + (f": {share} of the variance comes from the trainings." if share else ".")
        )
    elif word == "NO EVIDENCE" and not gained(scores):
        sentences.append(larger_test(scores))
    if (scores.get("seen_in_training") or 0) > 0:
        sentences.append(f"A test without the {item}s that were seen in training.")
    number_of_verdicts = part(scores, "test_set").get("verdict_number", 1)
    if is_number(number_of_verdicts) and number_of_verdicts > 1:
        sentences.append(f"A fresh test set: this one has now been asked {count(number_of_verdicts, 'time')}.")
    if word in ("HELPED", "HURT") and not trainings(scores):
        sentences.append("Trainings with other seeds (--seeds 5), which bring their luck into the interval.")
    return " ".join(sentence for sentence in sentences if sentence)


def gained(scores: Mapping[str, Any]) -> bool:
    """Say whether the interval lies above 0, which examples seen in training may keep from being counted."""
    low = part(scores, "difference").get("low")
    return is_number(low) and low > 0


def larger_test(scores: Mapping[str, Any]) -> str:
    """Return how many test units would make a change of the size seen detectable; empty when nothing is known.

    The detectable effect shrinks with the square root of the number of units. The number is rounded up to two digits.

    >>> larger_test({"difference": {"value": 0.01}, "smallest_detectable": 0.02, "test_units": 61})
    'About 250 independent test units would show a change of the size seen here.'
    """
    value = part(scores, "difference").get("value")
    detectable, units = scores.get("smallest_detectable"), scores.get("test_units")
    if not (is_number(value) and is_number(detectable) and is_number(units) and units > 0):
        return ""
    if abs(value) <= detectable / 10:
        return "The change seen is so small that even a test a hundred times as large could not tell it from chance."
    needed = max((detectable / value) ** 2, 1) * units
    step = 10 ** max(int(math.log10(needed)) - 1, 0)
    rounded = count(math.ceil(needed / step) * step, "independent test unit")
    return f"About {rounded} would show a change of the size seen here."


def advice(record: RunRecord) -> str:
    """Return what to do with the adapted model."""
    scores, item = record.scores, record.item
    word = scores.get("verdict")
    general = part(scores, "general")
    if word == "HURT":
        return (
            "Do not use the adapted model. Look at what got worse below, then at the data; "
            "a lower learning rate or fewer epochs may do."
        )
    if word == "TOO FEW":
        more = f"labelled {item}s" if record.labelled else "documents" if record.masked else "scored pairs"
        return f"Do not decide on this test. Gather more {more}, or split them with a larger test share (--test 0.3)."
    if word != "HELPED" and gained(scores):
        which = f"{item}s that the model did not learn from" if scores.get("seen_in_training") else f"more {item}s"
        return f"Test again with {which}; until then keep using the checkpoint."
    if word != "HELPED" and scores.get("head"):
        return (
            "Keep the checkpoint as it is, with a head on top: nothing shows that adapting changed it for the better."
        )
    if word != "HELPED":
        return "Keep using the checkpoint as it is: nothing shows that adapting changed it for the better."
    if scores.get("below_baseline"):
        return "Do not ship it yet: it gained, but a plain baseline is not beaten. Look at the baseline first."
    if general.get("verdict") == "FORGOT":
        other = "" if scores.get("merging") else ", or adapt again with --keep-general FILE"
        return f"Use the adapted model for texts of this domain only{other}; keep the checkpoint for everything else."
    if record.masked:
        return (
            "Use the adapted model to fill in words of this domain, or as the checkpoint of another task there; "
            "whether it helps that task only its own verdict can say."
        )
    if general.get("verdict") == "KEPT":
        return "Use the adapted model: it is better in this domain and as good as before outside it."
    return "Use the adapted model for texts of this domain; what it does outside it has not been settled."
