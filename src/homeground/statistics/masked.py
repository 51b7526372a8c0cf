"""The metrics of masked language modelling, from sums of statistics per document.

The statistics of a document are, in this order: the number of masked tokens, their summed loss in nats, and how many of
them the model predicts right; the number and the summed loss of the tokens chosen as in most tutorials (80% masked, 10%
replaced, 10% unchanged); and the tokens, words and characters of the document.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MASKED_COLUMN, LOSS_COLUMN, FIRST, TUTORIAL_MASKED, TUTORIAL_LOSS, TOKENS, WORDS, CHARACTERS = range(8)
"""The columns of the statistics."""

PREDICTED_COLUMNS = 5
"""The number of columns that come from a model's predictions; the others come from the text."""


def masked_loss(sums: Floats) -> Floats:
    """Return the mean loss of the masked tokens, in nats; 0 is perfect (Devlin et al. 2019, arXiv 1810.04805).

    >>> float(masked_loss(np.array([3.0, 6, 1, 0, 0, 9, 8, 40])))
    2.0
    """
    return ratio(sums[..., LOSS_COLUMN], sums[..., MASKED_COLUMN])


def perplexity(sums: Floats) -> Floats:
    """Return the exponential of the masked loss, 1 or more; smaller is better.

    A model that chooses at random among n equally likely tokens has the perplexity n.

    >>> round(float(perplexity(np.array([3.0, 6, 1, 0, 0, 9, 8, 40]))), 3)
    7.389
    """
    return np.exp(masked_loss(sums))


def masked_accuracy(sums: Floats) -> Floats:
    """Return the share of the masked tokens that the model predicts right, in [0, 1]; greater is better."""
    return ratio(sums[..., FIRST], sums[..., MASKED_COLUMN])


def tutorial_perplexity(sums: Floats) -> Floats:
    """Return the perplexity of tokens of which 80% are masked, 10% replaced and 10% unchanged.

    This is what most tutorials report. Unchanged tokens are easy to predict, so it is below ``perplexity``.
    """
    return np.exp(ratio(sums[..., TUTORIAL_LOSS], sums[..., TUTORIAL_MASKED]))


def word_perplexity(sums: Floats) -> Floats:
    """Return the exponential of the loss per word; comparable within one tokenizer only.

    The loss per word is the masked loss times the tokens per word. The loss per token alone would favour a tokenizer
    that cuts words into many tokens.
    """
    return np.exp(masked_loss(sums) * ratio(sums[..., TOKENS], sums[..., WORDS]))


def character_perplexity(sums: Floats) -> Floats:
    """Return the exponential of the loss per character; comparable within one tokenizer only."""
    return np.exp(masked_loss(sums) * ratio(sums[..., TOKENS], sums[..., CHARACTERS]))


METRICS: dict[str, Callable[[Floats], Floats]] = {
    "masked_loss": masked_loss,
    "perplexity": perplexity,
    "masked_accuracy": masked_accuracy,
    "tutorial_perplexity": tutorial_perplexity,
    "word_perplexity": word_perplexity,
    "character_perplexity": character_perplexity,
}


def ratio(part: Floats, whole: Floats) -> Floats:
    """Return the quotient, NaN where the denominator is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole > 0, part / whole, np.nan)
