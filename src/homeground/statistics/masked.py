"""The formulas of masked words, from sums of statistics per document.

The statistics of a document are ``(masked, loss, first, number of the tutorials' masks, their loss, tokens, words,
characters)``: how many tokens were masked, their summed loss in nats, how many of them were the model's first choice,
and what the document holds.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from homeground.statistics.glossary import directions

Floats = NDArray[np.float64]

MASKED, LOSS, FIRST, TUTORIAL_MASKED, TUTORIAL_LOSS, TOKENS, WORDS, CHARACTERS = range(8)
"""The columns of the statistics."""

PREDICTED = 5
"""The first so many of them follow from what a model says, the others from the text."""

UNITS = (TOKENS, WORDS, CHARACTERS)


def masked_loss(sums: Floats) -> Floats:
    """Return the mean loss of the masked tokens, in nats; 0 is perfect (Devlin et al. 2019, arXiv 1810.04805).

    >>> float(masked_loss(np.array([3.0, 6, 1, 0, 0, 9, 8, 40])))
    2.0
    """
    return ratio(sums[..., LOSS], sums[..., MASKED])


def perplexity(sums: Floats) -> Floats:
    """Return the exponential of the masked loss: among how many equally likely tokens the model wavers, from 1 up.

    >>> round(float(perplexity(np.array([3.0, 6, 1, 0, 0, 9, 8, 40]))), 3)
    7.389
    """
    return np.exp(masked_loss(sums))


def masked_accuracy(sums: Floats) -> Floats:
    """Return the share of the masked tokens that were the model's first choice, from 0 to 1."""
    return ratio(sums[..., FIRST], sums[..., MASKED])


def tutorial_perplexity(sums: Floats) -> Floats:
    """Return the perplexity where of the masked tokens 80% are masked, 10% replaced and 10% left as they are.

    This is what most tutorials report. The tokens that are left are easy, so it lies below ``perplexity``.
    """
    return np.exp(ratio(sums[..., TUTORIAL_LOSS], sums[..., TUTORIAL_MASKED]))


def word_perplexity(sums: Floats) -> Floats:
    """Return the exponential of the loss per word; to be compared within one tokenizer only.

    The masked loss times tokens per word: a loss per token is small where words are cut into many tokens.
    """
    return np.exp(masked_loss(sums) * ratio(sums[..., TOKENS], sums[..., WORDS]))


def character_perplexity(sums: Floats) -> Floats:
    """Return the exponential of the loss per character; to be compared within one tokenizer only."""
    return np.exp(masked_loss(sums) * ratio(sums[..., TOKENS], sums[..., CHARACTERS]))


METRICS: dict[str, Callable[[Floats], Floats]] = {
    "masked_loss": masked_loss,
    "perplexity": perplexity,
    "masked_accuracy": masked_accuracy,
    "tutorial_perplexity": tutorial_perplexity,
    "word_perplexity": word_perplexity,
    "character_perplexity": character_perplexity,
}
GREATER_IS_BETTER = directions(*METRICS)


def ratio(part: Floats, whole: Floats) -> Floats:
    """Return the quotient, not a number where nothing is divided by."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole > 0, part / whole, np.nan)
