"""Words of a domain as new tokens: which ones are worth it, and the tokenizer that has them.

The candidates are words that the tokenizer breaks into pieces in the texts that are learned from. The most useful one
is that which saves most tokens: how often it occurs, times its pieces less one. A new token comes after all others, so
no id changes. A word that holds the letters of a new one may be cut otherwise than before, but stays known:

WordPiece  the word is an entry of the vocabulary, which is tried first since it is longest
BPE        its pieces are merged one by one, after all other merges; each merge is an entry, which counts
Unigram    the word is an entry as probable as its rarest piece, so more probable than all of them
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from homeground.checkpoint.coverage import unknown_ids
from homeground.errors import CheckpointError
from homeground.randomness import generator

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from homeground.data.tokens.of_documents import TokenizedDocuments

MOST_PIECES = 12
"""Pieces of a word that may become one token; what takes more is hardly a word."""

FEWEST_DOCUMENTS = 5
"""Documents that hold a word from which it may become a token: a rarer one would hardly be learned."""

TOKENS_COUNTED = 20_000_000
"""Tokens of the texts in which words are counted, so that memory does not follow the corpus."""

SHORTEST_WORD = 3
"""Letters of a word from which it may become a token."""


@dataclass(frozen=True)
class BrokenPieces:
    """A word as its ``pieces``, token ids in order, how often it occurs and in how many documents."""

    pieces: tuple[int, ...]
    count: int
    documents: int

    @property
    def saved(self) -> int:
        """The tokens that are saved where the word is one."""
        return self.count * (len(self.pieces) - 1)


@dataclass(frozen=True)
class NewToken:
    """A token that is added: its ``id``, and the ids of the tokens whose mean its embedding starts from."""

    id: int
    pieces: tuple[int, ...]


@dataclass(frozen=True)
class ExtendedTokenizer:
    """A tokenizer with new tokens; ``words`` are those that are one token now, with their pieces before."""

    tokenizer: Tokenizer
    tokens: tuple[NewToken, ...]
    words: dict[str, BrokenPieces]


def broken_pieces(texts: TokenizedDocuments, places: NDArray[np.int64]) -> list[BrokenPieces]:
    """Return all words of some documents that are several tokens, those that would save most tokens first."""
    begins, ends, documents = _words(texts, places)
    lengths = ends - begins
    ids = np.asarray(texts.ids)
    found: list[BrokenPieces] = []
    for length in range(2, MOST_PIECES + 1):
        chosen = lengths == length
        if not chosen.any():
            continue
        pieces = ids[begins[chosen, None] + np.arange(length)]
        unique, inverse, counts = np.unique(pieces, axis=0, return_inverse=True, return_counts=True)
        pairs = np.unique(np.stack([inverse.reshape(-1), documents[chosen]], axis=1), axis=0)
        within = np.bincount(pairs[:, 0], minlength=len(unique))
        found += [
            BrokenPieces(tuple(unique[place].tolist()), int(counts[place]), int(within[place]))
            for place in range(len(unique))
        ]
    return sorted(found, key=lambda each: (-each.saved, each.pieces))


def counted_places(texts: TokenizedDocuments, places: NDArray[np.int64], *, seed: int) -> NDArray[np.int64]:
    """Return the documents in which words are counted: all, or of a large corpus a sample of ``TOKENS_COUNTED``."""
    drawn = generator(seed, "counted words").permutation(places)
    tokens = np.cumsum(texts.starts[drawn + 1] - texts.starts[drawn])
    return np.sort(drawn[: 1 + int(np.searchsorted(tokens, TOKENS_COUNTED))])


def count_words(texts: TokenizedDocuments, places: NDArray[np.int64]) -> tuple[int, int]:
    """Return how many words some documents have, and how many tokens."""
    begins, ends, _ = _words(texts, places)
    return len(begins), int((ends - begins).sum())


def _words(
    texts: TokenizedDocuments, places: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return where every word of some documents begins and ends among the tokens, and its document."""
    parts: list[NDArray[np.int64]] = []
    for place in places.tolist():
        start, end = int(texts.starts[place]), int(texts.starts[place + 1])
        marks = np.array(texts.word_starts[start:end])
        marks[:1] = True
        begins = start + np.flatnonzero(marks)
        parts.append(np.stack([begins, np.append(begins[1:], end)[: len(begins)], np.full(len(begins), place)]))
    begins, ends, documents = np.concatenate([np.zeros((3, 0), np.int64), *parts], axis=1)
    return begins, ends, documents


def extend_tokenizer(tokenizer: Tokenizer, broken: Sequence[BrokenPieces], count: int) -> ExtendedTokenizer:
    """Return the tokenizer with the first ``count`` tokens that make broken words whole.

    Only words of letters alone in at least ``FEWEST_DOCUMENTS`` documents are made whole, and only where the tokenizer
    then reads them as one token and still knows every other word of ``broken``. There may be fewer than ``count``.

    Raises:
        CheckpointError: the tokenizer is of a kind that takes no words, or tokens would get other ids.
    """
    texts = sorted({_text(tokenizer, each.pieces) for each in broken})
    # A word that cannot be whole leaves its place to the next ones.
    refused: set[tuple[int, ...]] = set()
    while True:
        chosen = _chosen(tokenizer, broken, refused)
        extended, tokens, planned = _extended(tokenizer, chosen, count)
        _refuse_moved(tokenizer, extended)
        spoils = {word for word in planned if not _is_whole(extended, word, planned[word])}
        spoils |= {word for word in planned if _makes_unknown(tokenizer, extended, word, texts)}
        if not spoils:
            return ExtendedTokenizer(extended, tokens, {word: chosen[word] for word in planned})
        refused |= {chosen[word].pieces for word in spoils}


def _chosen(
    tokenizer: Tokenizer, broken: Sequence[BrokenPieces], refused: set[tuple[int, ...]]
) -> dict[str, BrokenPieces]:
    chosen: dict[str, BrokenPieces] = {}
    for each in broken:
        if each.documents < FEWEST_DOCUMENTS or each.pieces in refused:
            continue
        word = _text(tokenizer, each.pieces)
        if len(word) >= SHORTEST_WORD and word.isalpha():
            chosen.setdefault(word, each)
    return chosen


def _refuse_moved(before: Tokenizer, after: Tokenizer) -> None:
    """Refuse a tokenizer in which an old token has another id: its row would be that of another token."""
    ids = after.get_vocab(with_added_tokens=True)
    moved = [name for name, number in before.get_vocab(with_added_tokens=True).items() if ids.get(name) != number]
    if moved:
        raise CheckpointError(
            f'the tokenizer gives "{moved[0]}" another id once words are added, so its embedding would be that of '
            "another token; leave out --extend-vocabulary"
        )


def _makes_unknown(before: Tokenizer, after: Tokenizer, word: str, texts: list[str]) -> bool:
    """Tell whether a new token makes a word of the texts unknown that begins with it, having no piece for the rest."""
    first = bisect_left(texts, word)
    longer = list(takewhile(lambda text: text.startswith(word), texts[first:]))
    unknown = frozenset(unknown_ids(before).tolist())
    old, new = (tokenizer.encode_batch(longer, add_special_tokens=False) for tokenizer in (before, after))
    return any(
        unknown.intersection(other.ids) and not unknown.intersection(one.ids)
        for one, other in zip(old, new, strict=True)
    )


def _text(tokenizer: Tokenizer, pieces: Sequence[int]) -> str:
    return tokenizer.decode(list(pieces), skip_special_tokens=False).strip()


def _is_whole(tokenizer: Tokenizer, word: str, token: int) -> bool:
    """Tell whether a word is read as its token, after another word as it is in a text."""
    encoding = tokenizer.encode(f"a {word}", add_special_tokens=False)
    return len(encoding.ids) > 0 and encoding.ids[-1] == token


def _extended(
    tokenizer: Tokenizer, chosen: dict[str, BrokenPieces], count: int
) -> tuple[Tokenizer, tuple[NewToken, ...], dict[str, int]]:
    """Return the tokenizer with up to ``count`` new tokens, these, and the token of each word that they make whole."""
    from tokenizers import Tokenizer

    content: dict[str, Any] = json.loads(tokenizer.to_str())
    model: dict[str, Any] = content["model"]
    names = {number: name for name, number in tokenizer.get_vocab(with_added_tokens=True).items()}
    following = max(names) + 1
    # Added tokens that the model's own vocabulary lacks would be numbered anew, behind the words.
    if isinstance(model.get("vocab"), dict):
        for added in content["added_tokens"]:
            model["vocab"].setdefault(added["content"], added["id"])
    kind = model.get("type")
    if kind == "WordPiece":
        tokens, words = _add_to_word_piece(model, names, chosen, following, count)
    elif kind == "BPE":
        tokens, words = _add_to_bpe(model, names, chosen, following, count)
    elif kind == "Unigram" and len(model["vocab"]) == following:
        tokens, words = _add_to_unigram(model, chosen, following, count)
    else:
        raise CheckpointError(
            f"a tokenizer of the kind {kind}, with {following} tokens, takes no new words; words are added to those of "
            "BERT, RoBERTa, ModernBERT and XLM-RoBERTa"
        )
    return Tokenizer.from_str(json.dumps(content, ensure_ascii=False)), tuple(tokens), words


Added = tuple[list[NewToken], dict[str, int]]


def _add_to_word_piece(
    model: dict[str, Any], names: dict[int, str], chosen: dict[str, BrokenPieces], following: int, count: int
) -> Added:
    tokens: list[NewToken] = []
    words: dict[str, int] = {}
    prefix = str(model["continuing_subword_prefix"])
    for word, each in chosen.items():
        # What begins a token of its own, as every Chinese character does, is never joined.
        joined = all(names[piece].startswith(prefix) for piece in each.pieces[1:])
        if len(tokens) < count and joined and not names[each.pieces[0]].startswith(prefix):
            words[word] = following + len(tokens)
            model["vocab"][word] = words[word]
            tokens.append(NewToken(words[word], each.pieces))
    return tokens, words


def _add_to_bpe(
    model: dict[str, Any], names: dict[int, str], chosen: dict[str, BrokenPieces], following: int, count: int
) -> Added:
    ids = {name: number for number, name in names.items()}
    sources: dict[int, tuple[int, ...]] = {number: (number,) for number in names}
    merges: list[tuple[int, int, int]] = []
    tokens: list[NewToken] = []
    words: dict[str, int] = {}
    as_text = bool(model["merges"]) and isinstance(model["merges"][0], str)
    for word, each in chosen.items():
        pieces = list(each.pieces)
        for first, second, merged in merges:
            pieces = _merged(pieces, first, second, merged)
        new: list[tuple[int, int, int]] = []
        while len(pieces) > 1 and len(tokens) + len(new) < count:
            name = names[pieces[0]] + names[pieces[1]]
            if name in ids:
                break  # it is reached by other merges, so these pieces do not stand beside each other
            merged = following + len(tokens) + len(new)
            new.append((pieces[0], pieces[1], merged))
            names[merged], ids[name] = name, merged
            sources[merged] = sources[pieces[0]] + sources[pieces[1]]
            pieces = _merged(pieces, *new[-1])
        if len(pieces) > 1:
            for _, _, merged in new:
                del ids[names.pop(merged)], sources[merged]
            continue
        for first, second, merged in new:
            model["vocab"][names[merged]] = merged
            pair = [names[first], names[second]]
            model["merges"].append(" ".join(pair) if as_text else pair)
            tokens.append(NewToken(merged, sources[merged]))
        merges += new
        words[word] = pieces[0]
    return tokens, words


def _merged(pieces: list[int], first: int, second: int, merged: int) -> list[int]:
    """Return the pieces of a word with every neighbouring ``first`` and ``second`` as one."""
    result: list[int] = []
    place = 0
    while place < len(pieces):
        if pieces[place : place + 2] == [first, second]:
            result.append(merged)
            place += 2
        else:
            result.append(pieces[place])
            place += 1
    return result


def _add_to_unigram(model: dict[str, Any], chosen: dict[str, BrokenPieces], following: int, count: int) -> Added:
    vocabulary = cast(list[list[Any]], model["vocab"])
    tokens: list[NewToken] = []
    words: dict[str, int] = {}
    for word, each in chosen.items():
        if len(tokens) == count:
            break
        words[word] = following + len(tokens)
        name = "".join(str(vocabulary[piece][0]) for piece in each.pieces)
        vocabulary.append([name, min(float(vocabulary[piece][1]) for piece in each.pieces)])
        tokens.append(NewToken(words[word], each.pieces))
    return tokens, words
