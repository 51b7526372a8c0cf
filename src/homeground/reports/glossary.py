"""Every metric in plain words: what it says, and which way is better."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """The words for one metric; ``greater_is_better`` is None for a metric that these pages do not know."""

    name: str
    label: str
    meaning: str
    greater_is_better: bool | None
    decimals: int = 3

    @property
    def direction(self) -> str:
        """Which way is better, in words."""
        return {True: "higher is better", False: "lower is better", None: ""}[self.greater_is_better]

    @property
    def arrow(self) -> str:
        """Which way is better, as an arrow."""
        return {True: "↑", False: "↓", None: ""}[self.greater_is_better]


_KNOWN = [
    Metric(
        "pearson",
        "Pearson correlation",
        "How well the similarities follow the given ones along a straight line: 1 is perfect, 0 is no relation.",
        True,
    ),
    Metric(
        "spearman",
        "Spearman correlation",
        "How well the order of the pairs, from least to most similar, agrees with the given one: 1 is the same order.",
        True,
    ),
    Metric(
        "mse",
        "Mean squared error",
        "The mean squared distance to the given similarity; large misses weigh most.",
        False,
        4,
    ),
    Metric("mae", "Mean absolute error", "How far a similarity is from the given one, on average.", False),
    Metric(
        "mape",
        "Mean absolute percentage error",
        "The distance to the given similarity as a share of it, on average; pairs given 0 are left out.",
        False,
    ),
    Metric(
        "mrr",
        "Mean reciprocal rank",
        "Where the right partner stands among all candidates: 1 if always first, 0.5 if always second.",
        True,
    ),
    Metric("accuracy_at_1", "Right partner first", "The share of texts whose right partner comes first.", True),
    Metric("triplet_accuracy", "Triplets in the right order", "The share of texts nearer to the right partner.", True),
    Metric("loss", "Loss", "What training makes small.", False, 4),
]
METRICS = {metric.name: metric for metric in _KNOWN}


def metric(name: str) -> Metric:
    """Return the words for a metric; one that is not in the table keeps its own name and has no direction.

    >>> metric("mae").direction, metric("f_beta").label
    ('lower is better', 'f_beta')
    """
    return METRICS.get(name, Metric(name, name, "", None))
