"""What the first step of a chain contributed, where the run is its last."""

from __future__ import annotations

from typing import Any

from homeground.reports.charts import number_line
from homeground.reports.sections.verdict import LOOKS
from homeground.results.record import RunRecord, part
from homeground.statistics.glossary import metric
from homeground.wording import count, interval, is_number, number, signed

STAGES = {
    "before": "The checkpoint as it is",
    "domain": "After the domain step alone",
    "plain": "After the task alone",
    "adapted": "After both steps",
}
QUESTIONS = {
    "domain": "What the domain step contributed",
    "task": "What the task alone did",
    "chain": "What both steps did",
}


def chain(record: RunRecord) -> dict[str, Any] | None:
    """Return the comparisons of a chain, or None where the run is none's last step."""
    values = record.chain
    if not values:
        return None
    words = metric(str(values.get("primary_metric") or ""))
    scores, comparisons = part(values, "scores"), part(values, "comparisons")
    difference = part(part(comparisons, "domain"), "difference")
    texts = part(values, "test_texts")
    return {
        "metric": words,
        "data": values.get("domain_data", ""),
        "line": number_line(difference, decimals=words.decimals),
        "label": f"{signed(difference.get('value'), words.decimals)}, interval {interval(difference, words.decimals)}",
        "tone": LOOKS.get(str(values.get("verdict")), ("open", "ring"))[0],
        "stages": [
            {"name": name, "score": number(part(scores, key).get(words.name), words.decimals)}
            for key, name in STAGES.items()
        ],
        "comparisons": [_comparison(name, part(comparisons, key)) for key, name in QUESTIONS.items()],
        "left_out": _counted(texts.get("left_out"), "text"),
        "learned": _counted(texts.get("learned"), "test example"),
    }


def _comparison(name: str, values: Any) -> dict[str, Any]:
    word = str(values.get("verdict") or "TOO FEW")
    tone, shape = LOOKS.get(word, ("open", "ring"))
    return {
        "name": name,
        "word": word,
        "tone": tone,
        "shape": shape,
        "sentence": str(values.get("sentence") or "").removeprefix(f"{word}: "),
    }


def _counted(value: Any, noun: str) -> str:
    """Return a count and its noun; nothing where it is 0 or not known."""
    return count(value, noun) if is_number(value) and value else ""
