"""The one table of metrics: name, label, meaning, direction, decimals, and what a verdict's sentence calls them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """What is shown of one metric; ``greater_is_better`` is None for a metric that is not in the table."""

    name: str
    label: str
    meaning: str
    greater_is_better: bool | None
    decimals: int = 3
    sentence_name: str = ""

    @property
    def in_sentences(self) -> str:
        """The name in the sentence of a verdict: its own where it has no other."""
        return self.sentence_name or self.name

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
        sentence_name="Pearson correlation",
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
    Metric(
        "accuracy", "Accuracy", "The share of texts that are given the right class.", True, sentence_name="Accuracy"
    ),
    Metric(
        "macro_f1",
        "Macro F1",
        "How well each class is found, and found alone (F1), on average: a rare class counts as much as a common one.",
        True,
        sentence_name="Macro F1",
    ),
    Metric(
        "micro_f1",
        "Micro F1",
        "How well the labels are found, and found alone (F1), all labels of all texts taken together.",
        True,
    ),
    Metric("exact_match", "Exact match", "The share of texts that get all their labels and no other.", True),
    Metric(
        "hamming_accuracy",
        "Single labels right",
        "The share of yes or no answers, one for each text and label, that are right; high where labels are rare.",
        True,
    ),
    Metric(
        "log_loss",
        "Log loss",
        "How surprised the model is by the truth: 0 if it is sure and right, large if it is sure and wrong.",
        False,
    ),
    Metric(
        "ece",
        "Calibration error",
        "How far the stated confidence lies from the share that is right, on average; few texts alone make it rise.",
        False,
    ),
    Metric(
        "roc_auc",
        "Area under the ROC curve",
        "How often a text of a class is found likelier to be of it than a text of another class; 0.5 is chance.",
        True,
    ),
    Metric(
        "masked_loss",
        "Loss of masked words",
        "How surprised the model is by hidden tokens, in nats: 0 if it is sure and right, 4.6 if it gives the right "
        "one a chance of one in a hundred.",
        False,
        sentence_name="Loss of masked words",
    ),
    Metric(
        "perplexity",
        "Perplexity",
        "Among how many equally likely tokens the model wavers at a hidden one; 1 is perfect. To be compared within "
        "one tokenizer only.",
        False,
        1,
        sentence_name="Perplexity of masked words",
    ),
    Metric(
        "masked_accuracy",
        "Hidden token first",
        "The share of hidden tokens that were the first choice.",
        True,
        sentence_name="Accuracy on masked words",
    ),
    Metric(
        "tutorial_perplexity",
        "Perplexity as in tutorials",
        "The perplexity where of the chosen tokens 80% are hidden, 10% replaced and 10% left as they are, which makes "
        "them easier.",
        False,
        1,
        sentence_name="Perplexity as tutorials mask",
    ),
    Metric(
        "word_perplexity",
        "Perplexity per word",
        "The loss of hidden tokens times the tokens of a word, as a perplexity. Large where words are cut into many "
        "tokens: to be compared within one tokenizer only.",
        False,
        1,
        sentence_name="Perplexity per word",
    ),
    Metric(
        "character_perplexity",
        "Perplexity per character",
        "The loss of hidden tokens spread over the characters of the text, as a perplexity; to be compared within "
        "one tokenizer only.",
        False,
        2,
        sentence_name="Perplexity per character",
    ),
    Metric(
        "word_loss",
        "Loss of whole words",
        "How surprised the model is by a hidden word, in nats, all its pieces taken together.",
        False,
        sentence_name="Loss of whole words",
    ),
    Metric("loss", "Loss", "What training makes small.", False, 4),
]
METRICS = {metric.name: metric for metric in _KNOWN}


def metric(name: str) -> Metric:
    """Return what is shown of a metric; one that is not in the table keeps its own name and has no direction.

    >>> metric("mae").direction, metric("f_beta").label
    ('lower is better', 'f_beta')
    """
    return METRICS.get(name, Metric(name, name, "", None))


def directions(*names: str) -> dict[str, bool]:
    """Return which of the named metrics are better the greater they are; KeyError for one that is not in the table.

    >>> directions("accuracy", "log_loss")
    {'accuracy': True, 'log_loss': False}
    """
    return {name: METRICS[name].greater_is_better is True for name in names}


def greater_is_better(name: str) -> bool:
    """Return whether a metric is better the greater it is; a loss, or a value not in the table, is not."""
    return metric(name).greater_is_better or False
