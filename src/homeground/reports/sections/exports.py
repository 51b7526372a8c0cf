"""Exports: the model for other runtimes, with what each scores and how fast it is."""

from __future__ import annotations

from typing import Any

from homeground.results.record import RunRecord
from homeground.statistics.glossary import metric

RUNTIMES = {"openvino": "OpenVINO", "onnx": "ONNX Runtime"}
"""The names of the runtimes, by format."""


def exports(record: RunRecord) -> dict[str, Any] | None:
    """Return a row for every export, or None where the run has none."""
    if not record.exports:
        return None
    return {
        "metric": metric(record.exports[0].primary_metric),
        "rows": [(RUNTIMES.get(each.format, each.format), each) for each in record.exports],
        "examples": record.exports[0].test_examples,
        "seen": max(each.seen for each in record.exports),
    }
