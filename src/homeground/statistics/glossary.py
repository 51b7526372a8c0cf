"""The one table of metrics: name, label, meaning, direction, decimals, range, and name in the sentence of a verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass

ANY_NUMBER, SHARE, CORRELATION = (-math.inf, math.inf), (0.0, 1.0), (-1.0, 1.0)
"""Ranges of values."""

FROM_ZERO, FROM_ONE = (0.0, math.inf), (1.0, math.inf)


@dataclass(frozen=True)
class Metric:
    """The words for one metric; ``greater_is_better`` is None for a metric that is not in the table.

    ``span`` is the range of its values; no interval leaves it. ``is_share`` tells that it is a mean over examples, or
    over classes, of values from 0 to 1 that mostly are one of both: such a metric may not change at all on a whole
    test set. ``never_decides`` is the reason why a verdict may not rest on it, empty where it may.
    """

    name: str
    label: str
    meaning: str
    greater_is_better: bool | None
    decimals: int = 3
    sentence_name: str = ""
    span: tuple[float, float] = ANY_NUMBER
    is_share: bool = False
    never_decides: str = ""

    @property
    def in_sentences(self) -> str:
        """The name in the sentence of a verdict."""
        return self.sentence_name or self.name

    @property
    def direction(self) -> str:
        """Which way is better, in words."""
        return {True: "higher is better", False: "lower is better", None: ""}[self.greater_is_better]

    @property
    def arrow(self) -> str:
        """Which way is better, as an arrow."""
        return {True: "↑", False: "↓", None: ""}[self.greater_is_better]


ECE_DESCRIBES = (
    "chance alone raises it on a small test, so that a model whose probabilities are truly worse often seems better; "
    "use log_loss"
)

_TABLE = [
    Metric(
        "pearson",
        "Pearson correlation",
        "The linear correlation between the predicted and the target similarities: 1 is perfect, 0 is no relation.",
        True,
        sentence_name="Pearson correlation",
        span=CORRELATION,
    ),
    Metric(
        "spearman",
        "Spearman correlation",
        "How well the order of the pairs, from least to most similar, agrees with the target: 1 is the same order.",
        True,
        span=CORRELATION,
        never_decides="its ranks are not drawn anew in every resample; use pearson",
    ),
    Metric(
        "mse",
        "Mean squared error",
        "The mean squared difference from the target similarity; large errors count most.",
        False,
        4,
        span=FROM_ZERO,
    ),
    Metric(
        "mae", "Mean absolute error", "The mean absolute difference from the target similarity.", False, span=FROM_ZERO
    ),
    Metric(
        "mape",
        "Mean absolute percentage error",
        "The mean absolute difference as a share of the target similarity; pairs with target 0 are left out.",
        False,
        span=FROM_ZERO,
    ),
    Metric(
        "mrr",
        "Mean reciprocal rank",
        "The mean of 1 / rank of the right partner among all candidates: 1 if always first, 0.5 if always second.",
        True,
        span=SHARE,
        is_share=True,
    ),
    Metric(
        "accuracy_at_1",
        "Right partner first",
        "The share of texts whose right partner is ranked first.",
        True,
        span=SHARE,
        is_share=True,
    ),
    Metric(
        "accuracy",
        "Accuracy",
        "The share of texts with the right predicted class.",
        True,
        sentence_name="Accuracy",
        span=SHARE,
        is_share=True,
    ),
    Metric(
        "macro_f1",
        "Macro F1",
        "The mean F1 of the classes (F1 combines precision and recall): a rare class counts as much as a common one.",
        True,
        sentence_name="Macro F1",
        span=SHARE,
        is_share=True,
    ),
    Metric(
        "micro_f1",
        "Micro F1",
        "The F1 of all labels of all texts together; F1 combines precision and recall.",
        True,
        span=SHARE,
        is_share=True,
    ),
    Metric(
        "exact_match",
        "Exact match",
        "The share of texts with all right labels and no other predicted.",
        True,
        span=SHARE,
        is_share=True,
    ),
    Metric(
        "hamming_accuracy",
        "Hamming accuracy",
        "The share of right yes-or-no answers, one for each text and label; always high where labels are rare.",
        True,
        span=SHARE,
        is_share=True,
    ),
    Metric(
        "log_loss",
        "Log loss",
        "The mean of −ln of the probability of the truth: 0 if the model is sure and right, large if sure and wrong.",
        False,
        span=FROM_ZERO,
    ),
    Metric(
        "ece",
        "Calibration error",
        "The mean gap between confidence and the share of right answers; a small test set alone makes it larger.",
        False,
        span=SHARE,
        never_decides=ECE_DESCRIBES,
    ),
    Metric(
        "roc_auc",
        "Area under the ROC curve",
        "How often a text of a class gets a higher probability for it than a text of another class; 0.5 is chance.",
        True,
        span=SHARE,
    ),
    Metric(
        "entity_f1",
        "Entity F1",
        "The F1 of the entities of all types together: precision and recall, combined. An entity is right if its first "
        "word, its last word and its type are.",
        True,
        sentence_name="Entity F1",
        span=SHARE,
        is_share=True,
    ),
    Metric(
        "entity_precision",
        "Entity precision",
        "The share of the predicted entities that are right.",
        True,
        sentence_name="Entity precision",
        span=SHARE,
        is_share=True,
    ),
    Metric(
        "entity_recall",
        "Entity recall",
        "The share of the entities in the data that are found.",
        True,
        sentence_name="Entity recall",
        span=SHARE,
        is_share=True,
    ),
    Metric(
        "conlleval_f1",
        "Entity F1 as in papers",
        "The same as the script conlleval counts: an inside tag that follows no entity of its type begins one. For "
        "comparison with published figures.",
        True,
        sentence_name="Entity F1 as in papers",
        span=SHARE,
        is_share=True,
    ),
    Metric(
        "word_accuracy",
        "Accuracy on words",
        "The share of the words with the right tag; always high, as most words are in no entity.",
        True,
        sentence_name="Accuracy on words",
        span=SHARE,
        is_share=True,
    ),
    Metric(
        "masked_loss",
        "Loss of masked words",
        "The mean of −ln of the probability of the masked tokens, in nats: 0 if the model is sure and right, 4.6 if "
        "that probability is 1%.",
        False,
        sentence_name="Loss of masked words",
        span=FROM_ZERO,
    ),
    Metric(
        "perplexity",
        "Perplexity",
        "The number of equally likely tokens that would be as hard to predict as a masked token; 1 is perfect. "
        "Comparable within one tokenizer only.",
        False,
        1,
        sentence_name="Perplexity of masked words",
        span=FROM_ONE,
    ),
    Metric(
        "masked_accuracy",
        "Accuracy on masked tokens",
        "The share of masked tokens that the model finds most likely.",
        True,
        sentence_name="Accuracy on masked words",
        span=SHARE,
        is_share=True,
    ),
    Metric(
        "tutorial_perplexity",
        "Perplexity as in tutorials",
        "The perplexity where 80% of the selected tokens are masked, 10% replaced and 10% left unchanged, which makes "
        "them easier to predict.",
        False,
        1,
        sentence_name="Perplexity as tutorials mask",
        span=FROM_ONE,
    ),
    Metric(
        "word_perplexity",
        "Perplexity per word",
        "The loss per masked token times the tokens per word, as a perplexity. Large where words are cut into many "
        "tokens: comparable within one tokenizer only.",
        False,
        1,
        sentence_name="Perplexity per word",
        span=FROM_ONE,
    ),
    Metric(
        "character_perplexity",
        "Perplexity per character",
        "The loss of the masked tokens per character of the text, as a perplexity; comparable within one tokenizer "
        "only.",
        False,
        2,
        sentence_name="Perplexity per character",
        span=FROM_ONE,
    ),
    Metric(
        "word_loss",
        "Loss of whole words",
        "The −ln of the probability of a masked word, in nats, all its tokens together.",
        False,
        sentence_name="Loss of whole words",
        span=FROM_ZERO,
    ),
    Metric("loss", "Loss", "The value that training minimizes.", False, 4),
]
METRICS = {metric.name: metric for metric in _TABLE}


def metric(name: str) -> Metric:
    """Return the words for a metric; one that is not in the table keeps its own name and has no direction.

    >>> metric("mae").direction, metric("f_beta").label
    ('lower is better', 'f_beta')
    """
    return METRICS.get(name, Metric(name, name, "", None))


def greater_is_better(name: str) -> bool:
    """Return whether a metric is better the greater it is; a loss, or a value not in the table, is not."""
    return metric(name).greater_is_better or False
