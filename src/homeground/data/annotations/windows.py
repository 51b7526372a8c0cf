"""The words of texts and the tokens they are read as, in windows, so that no word of a long text is lost.

A text is tokenized as it is written, and a token is of the first word that it overlaps. A word is decided by its first
token, in the window that shows most of the text around it. Where a token spans several words, as some tokenizers make
of Chinese, they share its decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from tokenizers import Tokenizer

from homeground.data.tokens.tokenized import TEXTS_AT_ONCE, special_tokens

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Places = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class WordTokens:
    """Texts as token ids, without special tokens, and the words that these are of.

    ``ids (tokens,)`` is flat. ``windows (windows, 2)`` are places in it, ``text (windows,)`` is the text of each.
    ``word (tokens,)`` is the word of each token, counted over all texts, -1 for none; ``decider (tokens,)`` is the
    window in which that word is decided. ``deciding (words,)`` is the token that decides a word, -1 where it has none,
    and ``shares (words,)`` tells which do not have it for themselves. The words of text ``i`` are those from
    ``first_word[i]`` to ``first_word[i + 1]``.
    """

    ids: NDArray[np.int32]
    windows: Ints
    text: Ints
    word: Ints
    decider: Ints
    deciding: Ints
    shares: Bools
    first_word: Ints
    prefix: tuple[int, ...]
    suffix: tuple[int, ...]
    padding: int

    @property
    def lengths(self) -> Ints:
        """Tokens of every window, special tokens included, ``(windows,)``."""
        return self.windows[:, 1] - self.windows[:, 0] + len(self.prefix) + len(self.suffix)

    @cached_property
    def tokens_of_word(self) -> Ints:
        """How many tokens every word has, ``(words,)``."""
        return np.bincount(self.word[self.word >= 0], minlength=len(self.deciding))

    @cached_property
    def in_order(self) -> Ints:
        """The tokens that decide, window by window, in the order in which ``pad`` shows them."""
        tokens = np.unique(self.deciding[self.deciding >= 0])
        return tokens[np.argsort(self.decider[tokens], kind="stable")]

    @cached_property
    def begins_word(self) -> Bools:
        """Which tokens are the first of the word that they are of, ``(tokens,)``."""
        begins = np.zeros(len(self.ids), np.bool_)
        own = self.deciding[(self.deciding >= 0) & ~self.shares]
        begins[own] = True
        return begins

    @cached_property
    def is_deciding(self) -> Bools:
        """Which tokens decide a word, ``(tokens,)``."""
        deciding = np.zeros(len(self.ids), np.bool_)
        deciding[self.in_order] = True
        return deciding

    def decided_in(self, items: Ints) -> Ints:
        """Return the places in ``in_order`` of the tokens that decide in some windows, window by window."""
        first, end = self._bounds[items].tolist(), self._bounds[items + 1].tolist()
        return np.concatenate([np.arange(*each) for each in zip(first, end, strict=True)])

    @cached_property
    def _bounds(self) -> Ints:
        return np.searchsorted(self.decider[self.in_order], np.arange(len(self.windows) + 1))

    def decisions(self, decided: NDArray[Any], *, outside: int, inside: Ints) -> Floats:
        """Return the tag and its probability of every word, ``(words, 2)``, from what ``decide`` says of all windows.

        A word that no token stands for is ``outside``. One that shares the token of the word before goes on with it:
        ``inside (tags,)`` are the tags that go on with each tag.
        """
        of_token = np.zeros((len(self.ids) + 1, 2))
        of_token[-1] = outside, 1.0
        of_token[self.in_order] = np.concatenate([np.empty((0, 2)), *decided])
        of_word = of_token[self.deciding]
        of_word[self.shares, 0] = inside[of_word[self.shares, 0].astype(np.int64)]
        return of_word

    def by_text(self, values: NDArray[Any]) -> list[NDArray[Any]]:
        """Return what is known of every word, ``(words, …)``, text by text."""
        return np.split(values, self.first_word[1:-1]) if len(self.first_word) > 1 else []

    def pad(self, items: Ints) -> tuple[dict[str, Ints], Ints]:
        """Return a padded batch of some windows, and the place of every token whose word is decided in its window.

        The batch holds ``input_ids``, ``attention_mask``, and ``deciding_tokens``, which is 1 where a token decides a
        word. All are ``(items, length)``, as are the places, which are -1 for other tokens.
        """
        starts, ends = self.windows[items].T
        before = len(self.prefix)
        sizes = ends - starts + before + len(self.suffix)
        columns = np.arange(int(sizes.max(initial=1)))
        mask = columns < sizes[:, None]
        input_ids = np.full(mask.shape, self.padding, np.int64)
        tokens = np.full(mask.shape, -1, np.int64)
        for line, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
            own = self.ids[start:end]
            input_ids[line, : sizes[line]] = (*self.prefix, *own.tolist(), *self.suffix)
            places = np.arange(start, end)
            tokens[line, before : before + end - start] = np.where(self.decider[places] == items[line], places, -1)
        deciding = (tokens >= 0) & self.is_deciding[tokens]
        batch = {"input_ids": input_ids, "attention_mask": mask.astype(np.int64)}
        return {**batch, "deciding_tokens": deciding.astype(np.int64)}, tokens


def decide(logits: NDArray[Any], deciding_tokens: Ints) -> NDArray[Any]:
    """Return for every window the likeliest tag of each deciding token, and its probability, ``(words, 2)``.

    ``logits (words, tags)`` are those of the tokens where ``deciding_tokens (items, length)`` is 1, window by window;
    the result is an array of arrays.
    """
    probabilities = softmax(logits.astype(np.float64), axis=1)
    both = np.stack([probabilities.argmax(axis=1), probabilities.max(axis=1)], axis=1)
    decided = np.empty(len(deciding_tokens), np.object_)
    for item, own in enumerate(np.split(both, deciding_tokens.sum(axis=1).cumsum()[:-1])):
        decided[item] = own
    return decided


def read_words(texts: Sequence[str], words: Sequence[Places], tokenizer: Tokenizer, padding: int) -> WordTokens:
    """Return the words of texts, given by their places in characters, as the tokens that they are read as.

    No text is cut: one with more tokens than the tokenizer's limit is read in windows that overlap by half.
    """
    truncation = tokenizer.truncation
    assert truncation is not None
    prefix, suffix = special_tokens(tokenizer)
    room = int(truncation["max_length"]) - len(prefix) - len(suffix)
    ids, counts, starts, ends = _tokenized(texts, tokenizer)
    # All texts as one, with a gap after each: no token reaches into the next.
    offsets = np.concatenate([[0], np.cumsum([len(text) + 1 for text in texts])])[: len(texts)]
    shift = np.repeat(offsets, counts)
    starts, ends = starts + shift, ends + shift
    words_of = np.array([len(each) for each in words], np.int64)
    bounds = np.array([place for each in words for place in each], np.int64).reshape(-1, 2)
    bounds = bounds + np.repeat(offsets, words_of)[:, None]
    first, last = np.searchsorted(bounds[:, 1], starts, "right"), np.searchsorted(bounds[:, 0], ends, "left") - 1
    is_of_word = (first <= last) & (starts < ends)
    word = np.where(is_of_word, first, -1)
    deciding = _deciding(first, last, is_of_word, len(bounds))
    windows, text, window_of = _cut(counts, room)
    decider = np.where(word >= 0, np.append(window_of, -1)[np.append(deciding, -1)[word]], -1)
    # A token that ends one word may decide the next: it is decided where it is shown best itself.
    decider[deciding[deciding >= 0]] = window_of[deciding[deciding >= 0]]
    return WordTokens(
        ids=ids,
        windows=windows,
        text=text,
        word=word,
        decider=decider,
        deciding=deciding,
        shares=(deciding >= 0) & (np.append(word, -1)[deciding] != np.arange(len(bounds))),
        first_word=np.concatenate([[0], np.cumsum(words_of)]),
        prefix=prefix,
        suffix=suffix,
        padding=padding,
    )


def _tokenized(texts: Sequence[str], tokenizer: Tokenizer) -> tuple[NDArray[np.int32], Ints, Ints, Ints]:
    """Return token ids without special tokens, flat, how many every text has, and where each begins and ends."""
    plain = Tokenizer.from_str(tokenizer.to_str())
    plain.no_truncation()
    ids: list[NDArray[np.int32]] = [np.empty(0, np.int32)]
    counts: list[int] = []
    offsets: list[Ints] = [np.empty((0, 2), np.int64)]
    for begin in range(0, len(texts), TEXTS_AT_ONCE):
        encodings = plain.encode_batch(list(texts[begin : begin + TEXTS_AT_ONCE]), add_special_tokens=False)
        ids.append(np.fromiter(chain.from_iterable(each.ids for each in encodings), np.int32))
        counts += [len(each.ids) for each in encodings]
        offsets.append(np.array([place for each in encodings for place in each.offsets], np.int64).reshape(-1, 2))
    starts, ends = np.concatenate(offsets).T
    return np.concatenate(ids), np.array(counts, np.int64), starts, ends


def _deciding(first: Ints, last: Ints, is_of_word: Bools, words: int) -> Ints:
    """Return the first token that overlaps each word, -1 where none does."""
    tokens = np.flatnonzero(is_of_word)
    if not len(tokens):
        return np.full(words, -1, np.int64)
    every = np.arange(words)
    # Behind a token come tokens that reach no less far; a tokenizer that reorders text is read as far as it goes.
    reached = np.maximum.accumulate(last[tokens])
    candidate = tokens[np.minimum(np.searchsorted(reached, every, "left"), len(tokens) - 1)]
    return np.where((first[candidate] <= every) & (every <= last[candidate]), candidate, -1)


def _cut(counts: Ints, room: int) -> tuple[Ints, Ints, Ints]:
    """Return windows of at most ``room`` tokens, the text of each, and for every token the window that shows it best.

    A window shows a token the better the farther that is from an end of the window which is no end of the text.
    """
    windows: list[tuple[int, int]] = []
    text: list[int] = []
    best: list[Ints] = [np.empty(0, np.int64)]
    begin = 0
    for number, count in enumerate(counts.tolist()):
        starts = [0] if count <= room else [*range(0, count - room, max(room // 2, 1)), count - room]
        most, shown_in = np.full(count, -1.0), np.zeros(count, np.int64)
        for number_of_window, start in enumerate(starts, start=len(windows)):
            end = min(start + room, count)
            context, inside = _context(start, end, count), slice(start, end)
            better = context > most[inside]
            most[inside][better], shown_in[inside][better] = context[better], number_of_window
        best.append(shown_in)
        windows += [(begin + start, begin + min(start + room, count)) for start in starts]
        text += [number] * len(starts)
        begin += count
    # A text without tokens has no window: nothing of it can be read.
    pairs, owners = np.array(windows, np.int64).reshape(-1, 2), np.array(text, np.int64)
    filled = pairs[:, 1] > pairs[:, 0]
    renumbered = np.cumsum(filled) - 1
    return pairs[filled], owners[filled], renumbered[np.concatenate(best)]


def _context(start: int, end: int, count: int) -> Floats:
    """Return how many tokens a window ``[start, end)`` shows on the shorter side of each of its tokens.

    An end of the window that is an end of the text, of ``count`` tokens, cuts nothing off.
    """
    place = np.arange(start, end)
    left = place - start if start > 0 else np.full(len(place), np.inf)
    right = end - 1 - place if end < count else np.full(len(place), np.inf)
    return np.minimum(left, right)
