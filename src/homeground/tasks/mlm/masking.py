"""Which tokens of a block are masked, and what stands in their place, as functions of a NumPy generator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from homeground.errors import UsageError


@dataclass(frozen=True)
class Masking:
    """How tokens are masked.

    ``probability``, above 0 and up to 1, is the share of tokens that is chosen, and ``whole_word`` whether all tokens
    of a word are chosen together. Of the chosen tokens ``mask_share`` become the mask token, ``random_share`` a random
    one, and the rest stays as it is: the 80, 10 and 10 per cent of Devlin et al. 2019 (BERT). Raises UsageError where
    the shares are no shares.
    """

    probability: float = 0.15
    whole_word: bool = False
    mask_share: float = 0.8
    random_share: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.probability <= 1:
            raise UsageError(f"{self.probability} of the tokens cannot be masked; give more than 0 and at most 1")
        # The nudge lets shares such as 0.9 and 0.1 add up to one.
        kept = 1 + 1e-9 - self.mask_share - self.random_share
        if not (self.mask_share >= 0 and self.random_share >= 0 and kept >= 0):
            raise UsageError(
                f"of the chosen tokens {self.mask_share} are to become the mask token and {self.random_share} a random "
                "one; give two shares from 0 that add up to 1 at most"
            )


def choose_known(
    word_starts: NDArray[np.bool_],
    known: NDArray[np.bool_],
    random: np.random.Generator,
    probability: float,
    whole_word: bool,
) -> NDArray[np.bool_]:
    """Return which tokens of a block are chosen as `choose` does, out of those that the tokenizer knows.

    To predict a token that stands for anything unknown would be no merit.
    """
    words = np.cumsum(word_starts)[known]
    chosen = np.zeros(len(word_starts), np.bool_)
    chosen[known] = choose(np.diff(words, prepend=-1) != 0, random, probability, whole_word)
    return chosen


def choose(
    word_starts: NDArray[np.bool_], random: np.random.Generator, probability: float, whole_word: bool
) -> NDArray[np.bool_]:
    """Return which tokens of a block are chosen, bool like ``word_starts``, which holds its content tokens only.

    Every word has the same chance, ``probability``, whatever its length, and the number of chosen tokens stays as near
    to ``probability`` times all as it can: within one token without whole words (19 or 20 of 128, where
    independent draws have a standard deviation of 4), and within the longest word with them. For that the words,
    shuffled and then sorted by length, lie one after the other on a line, each ``probability`` long, and a comb of
    spacing 1 with a random start falls on the chosen ones: systematic sampling from an ordered list (Madow and Madow
    1944). Without whole words, every token is a word.

    One word is chosen at least, and never all of them where ``probability`` is below 1: so short blocks are masked more
    than asked. A block of a single word is chosen from token by token. A word cut off by the start of a block counts as
    a word.
    """
    count = len(word_starts)
    if count == 0:
        return np.zeros(0, np.bool_)
    edge = np.ones(count + 1, np.bool_)
    if whole_word and word_starts[1:].any():
        edge[1:count] = word_starts[1:]
    edges = np.flatnonzero(edge)
    lengths = edges[1:] - edges[:-1]
    words = len(lengths)
    order = np.argsort(lengths + random.random(words))
    teeth = (random.random() + probability * np.arange(words + 1)).astype(np.int64)
    chosen = np.empty(words, np.bool_)
    chosen[order] = teeth[1:] > teeth[:-1]
    share = np.count_nonzero(chosen)
    if share == 0 or (share == words > 1 and probability < 1):
        chosen[random.integers(words)] ^= True
    return np.repeat(chosen, lengths)


def corrupt(
    ids: NDArray[np.int64],
    chosen: NDArray[np.bool_],
    random: np.random.Generator,
    *,
    masking: Masking,
    mask_id: int,
    replacements: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return a copy of ``ids`` in which the chosen tokens are masked, replaced or left, as the shares say.

    Each chosen token is decided for itself, in whole words too, as BERT does: a word may keep one piece and lose
    another. Random tokens are drawn from ``replacements``, which hold no special tokens, and may hit the right one.
    """
    places = np.flatnonzero(chosen)
    draws = random.random(len(places))
    masked = draws < masking.mask_share
    replaced = ~masked & (draws < masking.mask_share + masking.random_share)
    corrupted = ids.copy()
    corrupted[places[masked]] = mask_id
    corrupted[places[replaced]] = replacements[random.integers(len(replacements), size=np.count_nonzero(replaced))]
    return corrupted
