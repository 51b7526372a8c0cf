"""How much of some texts a tokenizer knows, and which kind of checkpoint would know more.

unknown tokens   such as [UNK], each of which stands for anything that the vocabulary lacks
lost characters  letters, digits and symbols inside such tokens or, where a tokenizer drops them, inside none
single letters   letters of spelled scripts other than Latin that are a token each: the vocabulary has no words of
                 the script, though it has its letters
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import regex
from numpy.typing import NDArray

from homeground.checkpoint.tokenizer import without_cleaning
from homeground.data.documents import with_texts
from homeground.data.examples import Example
from homeground.data.segmentation import EAST_ASIAN
from homeground.randomness import generator

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

USUAL_NAMES = ("[UNK]", "<unk>")
"""Tokens that stand for what a vocabulary lacks, where the tokenizer does not name its own."""

EXAMPLES_READ, CHARACTERS_READ = 1000, 1000
"""Examples drawn from a split, and characters of each text, of which the share is measured."""

REPORTED_SHARE = 0.05
"""The share of unknown tokens or lost characters from which it is reported."""

REFUSED_SHARE = 0.5
"""The share above which training is refused: most of what the texts say never reaches the model."""

SINGLE_LETTER_SHARE = 0.6
"""The share of the letters of a script from which it is reported that they are a token each."""

MULTILINGUAL, MULTILINGUAL_ENCODER = "xlm-roberta-base", "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2"

SCRIPTS = {
    "Chinese": (r"\p{Han}", "bert-base-chinese"),
    "Japanese": (r"\p{Hiragana}\p{Katakana}", None),
    "Korean": (r"\p{Hangul}", "klue/bert-base"),
    "Thai": (r"\p{Thai}", None),
    "Hindi": (r"\p{Devanagari}", "google/muril-base-cased"),
    "Arabic": (r"\p{Arabic}", "aubmindlab/bert-base-arabertv02"),
    "Cyrillic": (r"\p{Cyrillic}", "DeepPavlov/rubert-base-cased"),
    "Hebrew": (r"\p{Hebrew}", None),
    "Greek": (r"\p{Greek}", None),
    "emoji": (r"\p{Extended_Pictographic}\p{Emoji_Presentation}", None),
}
"""The language or kind that writes characters, with a checkpoint that was pretrained on it alone."""

_NAMES = {name: regex.compile(rf"[{characters}]") for name, (characters, _) in SCRIPTS.items()}
_COUNTED = regex.compile(r"[\p{L}\p{N}\p{So}]")
_SPELLED = regex.compile(rf"(?V1)[\p{{L}}--[\p{{Latin}}\p{{Hangul}}{EAST_ASIAN}]]")


@dataclass(frozen=True)
class Coverage:
    """What a tokenizer does not know of some ``texts``, as shares from 0 to 1.

    ``tokens`` are the unknown ones of all tokens, ``characters`` the lost ones of all letters, digits and symbols,
    ``single_letters`` those of all letters of spelled scripts other than Latin. ``lost`` and ``spelled`` name what is
    written so, the most frequent first.
    """

    texts: int
    tokens: float
    characters: float
    single_letters: float
    lost: tuple[str, ...] = ()
    spelled: tuple[str, ...] = ()

    @property
    def unknown(self) -> float:
        """The larger of both shares: a long word may be one token, and a row of tokens one emoji each."""
        return max(self.tokens, self.characters)

    def note(self, tokenizer: str, texts: str, *, as_encoder: bool) -> str | None:
        """Return a sentence on what is worth one, and which checkpoint would suit; None where all is well.

        ``tokenizer`` names the checkpoint and ``texts`` those looked at; a sentence encoder is proposed ``as_encoder``.
        """
        parts: list[str] = []
        if self.unknown >= REPORTED_SHARE:
            parts.append(
                f'{self.tokens:.0%} of the tokens of {texts} are unknown to the tokenizer of "{tokenizer}", and '
                f"{self.characters:.0%} of the characters are lost with them"
            )
        if self.single_letters >= SINGLE_LETTER_SHARE:
            script = self.spelled[0] if self.spelled[0] in SCRIPTS else "non-Latin"
            parts.append(
                f"{self.single_letters:.0%} of the {script} letters of {texts} are a token each to the tokenizer of "
                f'"{tokenizer}", which knows hardly a word of them'
            )
        if not parts:
            return None
        advice = suitable(self.lost if self.unknown >= REPORTED_SHARE else self.spelled, as_encoder=as_encoder)
        return f"{'; '.join(parts)} ({self.texts} texts looked at); {advice} would suit better"


def unknown_ids(tokenizer: Tokenizer) -> NDArray[np.int64]:
    """Return the ids of the tokens that stand for what the vocabulary lacks; none of a tokenizer of bytes."""
    from tokenizers.models import Unigram

    names = [getattr(tokenizer.model, "unk_token", None), *USUAL_NAMES]
    found = [tokenizer.token_to_id(name) for name in names if name]
    if isinstance(tokenizer.model, Unigram) and not any(number is not None for number in found):
        found = [json.loads(tokenizer.to_str())["model"].get("unk_id")]
    return np.array(sorted({number for number in found if number is not None}), np.int64)


def measure_coverage(examples: Sequence[Example], tokenizer: Tokenizer, *, seed: int) -> Coverage:
    """Return what a tokenizer knows of the texts of some examples, of a sample where there are many."""
    drawn = np.sort(generator(seed, "coverage").permutation(len(examples))[:EXAMPLES_READ])
    sample = [examples[place] for place in drawn.tolist()]
    # The file of documents is read no further than to the last of them.
    texts = [text[:CHARACTERS_READ] for _, parts in islice(with_texts(sample), len(sample)) for text in parts]
    tokenizer, texts = without_cleaning(tokenizer, texts)
    truncation = tokenizer.truncation
    tokenizer.no_truncation()
    try:
        encodings = tokenizer.encode_batch(texts, add_special_tokens=False)
    finally:
        if truncation:
            tokenizer.enable_truncation(int(truncation["max_length"]))
    return _coverage(texts, encodings, frozenset(unknown_ids(tokenizer).tolist()))


def suitable(scripts: Sequence[str], *, as_encoder: bool) -> str:
    """Say which kind of checkpoint reads such characters, with examples."""
    known = next((script for script in scripts if script in SCRIPTS), None)
    many = MULTILINGUAL_ENCODER if as_encoder else MULTILINGUAL
    if known == "emoji":
        return f"a checkpoint whose tokenizer reads bytes, such as roberta-base, or a multilingual one such as {many}"
    own = None if known is None or as_encoder else SCRIPTS[known][1]
    article = "an" if known is not None and known[0] in "AEIOU" else "a"
    kind = "a multilingual checkpoint" if known is None else f"{article} {known} or multilingual checkpoint"
    return f"{kind} such as {f'{own} or ' if own else ''}{many}"


def _coverage(texts: Sequence[str], encodings: Sequence[Encoding], unknown: frozenset[int]) -> Coverage:
    counts: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    spelled: Counter[str] = Counter()
    for text, encoding in zip(texts, encodings, strict=True):
        counts["tokens"] += len(encoding.ids)
        counts["unknown"] += sum(number in unknown for number in encoding.ids)
        known, single = _places(text, encoding, unknown)
        characters = [match.start() for match in _COUNTED.finditer(text)]
        counts["characters"] += len(characters)
        lost.update(_script(text[place]) for place in characters if place not in known)
        if text.isascii():
            continue
        letters = [match.start() for match in _SPELLED.finditer(text)]
        counts["letters"] += len(letters)
        spelled.update(_script(text[place]) for place in letters if place in single)
    relevant = counts["letters"] >= REPORTED_SHARE * counts["characters"]
    return Coverage(
        len(texts),
        counts["unknown"] / max(counts["tokens"], 1),
        lost.total() / max(counts["characters"], 1),
        spelled.total() / counts["letters"] if relevant and counts["letters"] else 0.0,
        tuple(name for name, _ in lost.most_common()),
        tuple(name for name, _ in spelled.most_common()),
    )


def _places(text: str, encoding: Encoding, unknown: frozenset[int]) -> tuple[set[int], set[int]]:
    """Return the characters that known tokens hold, and those of them that are a token each, or several."""
    known: set[int] = set()
    single: set[int] = set()
    for number, (start, end) in zip(encoding.ids, encoding.offsets, strict=True):
        if number in unknown:
            continue
        known.update(range(start, end))
        # A token may begin with the space before its word.
        first = start + (end - start > 1 and text[start].isspace())
        if end - first == 1:
            single.add(first)
    return known, single


def _script(character: str) -> str:
    return next((name for name, pattern in _NAMES.items() if pattern.match(character)), "other")
