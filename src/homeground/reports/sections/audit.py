"""The audit: what was found in the data before anything was trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from homeground.reports.sections.verdict import Look
from homeground.results.audit import AuditRecord, LengthsRecord, ProbeRecord, Severity
from homeground.results.record import RunRecord
from homeground.wording import number, percent

TONES: dict[Severity, tuple[str, str]] = {
    "problem": ("bad", "down"),
    "warning": ("few", "level"),
    "note": ("open", "ring"),
}
"""The colour and the shape of a finding."""

HISTOGRAM_WIDTH, HISTOGRAM_HEIGHT, BAR_GAP = 400.0, 110.0, 1.5

CLASSES_SHOWN = 30
PAIRS_SHOWN, SUSPECTS_SHOWN, CONFLICTS_SHOWN, WORDS_SHOWN = 12, 20, 10, 20

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
    return None if record.data.audit is None else audit_values(record.data.audit)


def audit_values(found: AuditRecord) -> dict[str, Any]:
    """Return what the template shows of an audit."""
    cheap = found.cheap_model
    return {
        "findings": [(Look(*TONES[each.severity]), each) for each in found.findings],
        "advice": found.advice,
        "histograms": [_histogram(each) for each in found.lengths],
        "languages": _bars([(each.name, each.share) for each in found.languages]),
        "scripts": _bars([(each.name, each.share) for each in found.scripts]),
        "classes": _class_bars(found),
        "classes_left": max(len(found.classes) - CLASSES_SHOWN, 0),
        "probes": [_probe(each) for each in found.probes],
        "cheap": cheap,
        "scored": bool(found.probes) and cheap is None,
        "words": found.words,
        "broken": () if found.words is None else found.words.broken[:WORDS_SHOWN],
        "near": found.near_duplicates,
        "pairs": () if found.near_duplicates is None else found.near_duplicates.pairs[:PAIRS_SHOWN],
        "conflicts": found.conflicts[:CONFLICTS_SHOWN],
        "conflicting_rows": found.conflicting_rows,
        "suspects": found.suspects[:SUSPECTS_SHOWN],
        "groups": found.groups,
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
    return [(name, round(100 * share, 1), percent(share, 1)) for name, share in shares]


def _class_bars(found: AuditRecord) -> list[tuple[str, float, int]]:
    most = max((each.count for each in found.classes), default=1)
    return [(each.label, round(100 * each.count / most, 1), each.count) for each in found.classes[:CLASSES_SHOWN]]


def _probe(probe: ProbeRecord) -> dict[str, Any]:
    """Return a probe with its bar from 0 to 1."""
    return {
        "name": probe.name if probe.column else None,
        "text": PROBE_TEXTS.get(probe.name, probe.name),
        "width": round(100 * max(probe.score, 0.0), 1),
        "chance": round(100 * probe.chance, 1),
        "score": number(probe.score),
        "shortcut": probe.shortcut,
        "evidence": "; ".join(probe.evidence[:3]),
    }
