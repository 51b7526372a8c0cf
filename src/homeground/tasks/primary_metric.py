"""The metric that decides: the default of the task, or the one that is asked for and may decide."""

from __future__ import annotations

from collections.abc import Collection

from homeground.errors import UsageError, nearest
from homeground.statistics.glossary import metric as words_of


def primary_metric(asked: str | None, default: str, measured: Collection[str], *, on: str = "this data") -> str:
    """Return the metric that decides, of those that are ``measured`` on the data.

    Raises UsageError where another is asked for, or one that only describes, with the reason.

    >>> primary_metric(None, "accuracy", ["accuracy", "log_loss"])
    'accuracy'
    """
    metric = asked or default
    if metric not in measured:
        deciding = [name for name in measured if not words_of(name).never_decides]
        raise UsageError(f'--primary-metric "{metric}" is not measured on {on}; {nearest(metric, deciding)}')
    if reason := words_of(metric).never_decides:
        raise UsageError(f"--primary-metric {metric} only describes: {reason}")
    return metric
