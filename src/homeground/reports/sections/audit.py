"""The audit: what was found in the data before anything was trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from homeground.reports.sections.verdict import Look
from homeground.results.audit import AuditRecord, ConflictRecord, LengthsRecord, ProbeRecord, Severity
from homeground.results.record import RunRecord
from homeground.wording import number, percent, shorten

TONES: dict[Severity, tuple[str, str]] = {
    "problem": ("bad", "down"),
    "warning": ("few", "level"),
    "note": ("open", "ring"),
}
"""The colour and the shape of a finding."""

HISTOGRAM_WIDTH, HISTOGRAM_HEIGHT, BAR_GAP = 400.0, 110.0, 1.5

CLASSES_SHOWN = 30
PAIRS_SHOWN, SUSPECTS_SHOWN, CONFLICTS_SHOWN, WORDS_SHOWN = 12, 20, 10, 20
FINDINGS_SHOWN, PROBES_SHOWN, GROUPS_SHOWN, SHARES_SHOWN, ROWS_SHOWN = 60, 30, 20, 40, 12

LONGEST_LABEL, LONGEST_TEXT, LONGEST_SENTENCE = 60, 300, 1000
"""Characters of a label or name, of a text, and of a finding that are shown."""

PROBE_TEXTS = {
    "length": "Length of the text",
    "lengths": "Lengths of both texts",
    "punctuation": "Punctuation, digits and capitals",
    "first words": "The first two words",
    "single words": "One word a class",
}


@dataclass(frozen=True)
class Histogram:
    """The lengths of the texts as bars, each x, y, width and height; ``limit`` is where the model stops reading."""

    lengths: LengthsRecord
    bars: tuple[tuple[float, float, float, float], ...]
    limit: float | None


def audit(record: RunRecord) -> dict[str, Any] | None:
    """Return the audit of a run, or None where it was left out."""
    return None if record.data.audit is None else audit_values(record.data.audit, place="data.json")


def audit_values(found: AuditRecord, *, place: str) -> dict[str, Any]:
    """Return what the template shows of an audit; ``place`` is where all of it is."""
    cheap = found.cheap_model
    pairs = () if found.near_duplicates is None else found.near_duplicates.pairs
    return {
        "place": place,
        "findings": [
            (Look(*TONES[each.severity]), each.severity, *(shorten(text, LONGEST_SENTENCE) for text in texts))
            for each in found.findings[:FINDINGS_SHOWN]
            for texts in [(each.sentence, each.advice)]
        ],
        "findings_left": len(found.findings) - FINDINGS_SHOWN,
        "advice": [shorten(line, LONGEST_SENTENCE) for line in found.advice[:FINDINGS_SHOWN]],
        "histograms": [_histogram(each) for each in found.lengths],
        "languages": _bars([(each.name, each.share) for each in found.languages[:SHARES_SHOWN]]),
        "scripts": _bars([(each.name, each.share) for each in found.scripts[:SHARES_SHOWN]]),
        "classes": _class_bars(found),
        "classes_left": len(found.classes) - CLASSES_SHOWN,
        "probes": [_probe(each) for each in found.probes[:PROBES_SHOWN]],
        "probes_left": len(found.probes) - PROBES_SHOWN,
        "cheap": cheap,
        "scored": bool(found.probes) and cheap is None,
        "words": found.words,
        "broken": [
            (shorten(each.word, LONGEST_LABEL), shorten(" · ".join(each.pieces), LONGEST_TEXT), each.count)
            for each in (() if found.words is None else found.words.broken[:WORDS_SHOWN])
        ],
        "near": found.near_duplicates,
        "pairs": [
            (each, [shorten(text, LONGEST_TEXT) for text in each.texts], _labels(each.labels))
            for each in pairs[:PAIRS_SHOWN]
        ],
        "pairs_left": len(pairs) - PAIRS_SHOWN,
        "conflicts": [_conflict(each) for each in found.conflicts[:CONFLICTS_SHOWN]],
        "conflicts_left": len(found.conflicts) - CONFLICTS_SHOWN,
        "suspects": [
            (each, shorten(each.text, LONGEST_TEXT), *_labels((each.label, each.suggested)))
            for each in found.suspects[:SUSPECTS_SHOWN]
        ],
        "suspects_left": len(found.suspects) - SUSPECTS_SHOWN,
        "groups": [(each, shorten(each.column, LONGEST_LABEL)) for each in found.groups[:GROUPS_SHOWN]],
        "groups_left": len(found.groups) - GROUPS_SHOWN,
    }


def _labels(labels: Sequence[str] | None) -> list[str]:
    return [shorten(label, LONGEST_LABEL) for label in labels or ()]


def _conflict(conflict: ConflictRecord) -> dict[str, Any]:
    rows = zip(conflict.splits, conflict.rows, _labels(conflict.labels), strict=False)
    return {
        "text": shorten(conflict.text, LONGEST_TEXT),
        "rows": list(rows)[:ROWS_SHOWN],
        "left": len(conflict.rows) - ROWS_SHOWN,
    }


def _histogram(lengths: LengthsRecord) -> Histogram:
    most = max(lengths.counts, default=0) or 1
    width = HISTOGRAM_WIDTH / max(len(lengths.counts), 1)
    bars = tuple(
        (
            round(place * width + BAR_GAP / 2, 1),
            round(HISTOGRAM_HEIGHT * (1 - count / most), 1),
            round(width - BAR_GAP, 1),
            round(HISTOGRAM_HEIGHT * count / most, 1),
        )
        for place, count in enumerate(lengths.counts)
    )
    end = lengths.bins[-1] if lengths.bins else 0.0
    limit = lengths.limit
    inside = limit is not None and 0 < limit < end
    return Histogram(lengths, bars, round(HISTOGRAM_WIDTH * (limit or 0) / end, 1) if inside else None)


def _bars(shares: Sequence[tuple[str, float]]) -> list[tuple[str, float, str]]:
    """Return a name, the width of its bar in per cent, and what is written behind it."""
    return [(shorten(name, LONGEST_LABEL), round(100 * share, 1), percent(share, 1)) for name, share in shares]


def _class_bars(found: AuditRecord) -> list[tuple[str, float, int]]:
    most = max((each.count for each in found.classes), default=1)
    return [
        (shorten(each.label, LONGEST_LABEL), round(100 * each.count / most, 1), each.count)
        for each in found.classes[:CLASSES_SHOWN]
    ]


def _probe(probe: ProbeRecord) -> dict[str, Any]:
    """Return a probe with its bar from 0 to 1."""
    return {
        "name": shorten(probe.name, LONGEST_LABEL) if probe.column else None,
        "text": PROBE_TEXTS.get(probe.name, shorten(probe.name, LONGEST_LABEL)),
        "width": round(100 * max(probe.score, 0.0), 1),
        "chance": round(100 * probe.chance, 1),
        "score": number(probe.score),
        "shortcut": probe.shortcut,
        "evidence": shorten("; ".join(probe.evidence[:3]), LONGEST_TEXT),
    }
