"""Words of a text as character spans, in every script, and which tokens begin a word.

Chinese, Japanese, Thai, Lao, Khmer and Burmese write no spaces between words. The first three are cut by segmenters of
their own (an extra, see docs/decisions/0016-words-of-unspaced-scripts.md), the others into the characters that a reader
sees.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate, pairwise

import numpy as np
import regex
from numpy.typing import NDArray

from homeground.errors import UsageError

EAST_ASIAN = r"\p{Han}\p{Hiragana}\p{Katakana}ーｰ"
"""Scripts of Chinese and Japanese; Unicode counts the sign for a long vowel to no script."""

UNSPACED = rf"{EAST_ASIAN}\p{{Thai}}\p{{Lao}}\p{{Khmer}}\p{{Myanmar}}"
"""Scripts without spaces between words."""

MAX_RUN_CHARACTERS = 10_000
"""Letters given to a segmenter at once; the one for Japanese refuses more than 49,149 bytes."""

MIN_KANA_SHARE = 0.1
"""The share of kana among kana and Han from which a text is Japanese; Chinese has a の in names at most."""

MAX_UNSEGMENTED_SHARE = 0.05
"""The share of the letters up to which texts without spaces may be cut into characters where a segmenter is missing."""

Segmenter = Callable[[str], list[str]]
"""Cuts a run of letters into words, which one after the other are the run."""

_PACKAGES = {"Chinese": ("rjieba",), "Japanese": ("sudachipy", "sudachidict_small"), "Thai": ("pythainlp",)}

_INNER = "['’\u00ad\u200c\u200d]"  # apostrophes, the soft hyphen, and what joins or parts letters without being seen
_SPACED = rf"[[\p{{L}}\p{{M}}\p{{N}}]--[{UNSPACED}]][\p{{M}}[[\p{{L}}\p{{N}}]--[{UNSPACED}]]]*"
_EAST_ASIAN = rf"[[{EAST_ASIAN}]&&[\p{{L}}\p{{M}}\p{{N}}]]"
_THAI = r"[\p{Thai}&&[\p{L}\p{M}\p{N}]]"
_PIECE = regex.compile(
    rf"(?V1){_SPACED}(?:{_INNER}{_SPACED})*+"
    rf"|(?P<east_asian>{_EAST_ASIAN}[\p{{M}}{_EAST_ASIAN}]{{0,{MAX_RUN_CHARACTERS - 1}}})"
    rf"|(?P<thai>{_THAI}[\p{{M}}{_THAI}]{{0,{MAX_RUN_CHARACTERS - 1}}})"
    r"|(?![\s\p{Cc}\p{Cf}])\X"
)
_ASCII_PIECE = re.compile(r"[a-zA-Z0-9]+(?:'[a-zA-Z0-9]+)*|[!-~]")  # the same for ASCII, four times as fast
_LETTER = regex.compile(r"\p{L}")
_ASCII_LETTER = re.compile("[a-zA-Z]")
_SEGMENTED = {
    "east_asian": regex.compile(rf"(?V1)[[{EAST_ASIAN}]&&\p{{L}}]"),
    "thai": regex.compile(r"(?V1)[\p{Thai}&&\p{L}]"),
}
_SEEN = regex.compile(r"\X")
_UNSPACED_LETTER = regex.compile(rf"(?V1)[[{UNSPACED}]&&\p{{L}}]")
_KANA = regex.compile(r"(?V1)[[\p{Hiragana}\p{Katakana}ーｰ]&&\p{L}]")
_HAN = regex.compile(r"\p{Han}")
_MARK = regex.compile(r"\p{M}")


def word_spans(text: str) -> list[tuple[int, int]]:
    """Return the words of a text as spans ``(start, end)`` in characters, in order, none overlapping.

    A word is a run of letters, combining marks and digits, with apostrophes inside it: *don't* and *l'eau* are one word
    each, because to part the second takes knowing that it is French. Every other character that shows something is a
    word of its own, an emoji of several code points one. Spaces, control and format characters belong to none.

    Chinese, Japanese and Thai are cut into the characters that a reader sees where their segmenter is not installed:
    see `unsegmented`.

    >>> [text[start:end] for text in ["Don't pay €5.20!"] for start, end in word_spans(text)]
    ["Don't", 'pay', '€', '5', '.', '20', '!']
    """
    if text.isascii():
        return [piece.span() for piece in _ASCII_PIECE.finditer(text)]
    spans: list[tuple[int, int]] = []
    segmenters: dict[str, Segmenter] = {}
    for piece in _PIECE.finditer(text):
        script = piece.lastgroup
        if script is None:
            spans.append(piece.span())
            continue
        if script not in segmenters:
            segmenters[script] = _segmenter(_language(script, text))
        spans += _segmented(piece.group(), piece.start(), segmenters[script])
    return spans


def word_starts(spans: Sequence[tuple[int, int]], offsets: Sequence[tuple[int, int]]) -> NDArray[np.bool_]:
    """Tell which tokens begin a new word, shape ``(tokens,)``.

    ``spans`` are those of `word_spans`; ``offsets`` are the characters ``[start, end)`` of every token of the same
    text, as `tokenizers` gives them. A token belongs to the last word that it holds a character of, so a space at its
    front changes nothing and the bytes of one character stay together. A token of spaces alone, or of nothing, as a
    lone ``▁`` may be, goes with the word that follows. Tokens without a word are each their own: ``[CLS]`` and others
    at ``(0, 0)``, and spaces at the end.

    >>> word_starts([(0, 6), (7, 9)], [(0, 0), (0, 2), (2, 6), (6, 7), (7, 9), (0, 0)]).tolist()
    [True, True, False, True, False, True]
    """
    # A word before the text, so that a token before the first word finds one, which it has no character of.
    words = np.array([(-1, -1), *spans], np.int64)
    starts, ends = np.array(offsets, np.int64).reshape(-1, 2).T
    last = np.searchsorted(words[:, 0], ends) - 1
    in_word = (starts < ends) & (words[last, 1] > starts)
    special = (starts == 0) & (ends == 0)
    # The place of the next token that is in a word or special, itself included; behind the last one, the end.
    count = len(starts)
    place = np.where(in_word | special, np.arange(count), count)
    following = np.minimum.accumulate(place[::-1])[::-1]
    # The word of every token, -1 for none.
    number = np.append(np.where(in_word, last, -1), -1)[following]
    begins = np.ones(count, np.bool_)
    begins[1:] = (number[1:] != number[:-1]) | (number[1:] < 0)
    return begins


def unspaced_share(texts: Iterable[str]) -> float:
    """Return which share of the letters, 0 to 1, is of scripts without spaces between words.

    >>> unspaced_share(["abc", "中文。"])
    0.4
    """
    letters = inside = 0
    for text in texts:
        letters += len(_LETTER.findall(text))
        inside += 0 if text.isascii() else len(_UNSPACED_LETTER.findall(text))
    return inside / max(letters, 1)


def segmenter_versions() -> str:
    """Return the installed segmenters and their versions: another version may find other words."""
    installed = [name for names in _PACKAGES.values() for name in names if importlib.util.find_spec(name) is not None]
    return " ".join(f"{name} {importlib.metadata.version(name)}" for name in installed)


@dataclass
class ScriptCount:
    """Letters of texts: all of them, and those of each language whose words a segmenter finds."""

    letters: int = 0
    unspaced: Counter[str] = field(default_factory=Counter[str])

    def add(self, text: str) -> None:
        """Count the letters of one more text."""
        if text.isascii():
            self.letters += len(_ASCII_LETTER.findall(text))
            return
        self.letters += len(_LETTER.findall(text))
        for script, pattern in _SEGMENTED.items():
            if count := len(pattern.findall(text)):
                self.unspaced[_language(script, text)] += count


def unsegmented(counts: Iterable[ScriptCount]) -> str | None:
    """Return a sentence where a few words of texts are cut into characters, for lack of a segmenter; None for none.

    Raises UsageError where such words are more than ``MAX_UNSEGMENTED_SHARE`` of the letters.
    """
    missing: Counter[str] = Counter()
    letters = 0
    for count in counts:
        letters += count.letters
        missing.update({language: own for language, own in count.unspaced.items() if _missing(language)})
    if not missing:
        return None
    languages, packages = " and ".join(missing), " and ".join(_missing(language) for language in missing)
    share = missing.total() / max(letters, 1)
    install = 'install it with: pip install "homeground[segmentation]"'
    if share > MAX_UNSEGMENTED_SHARE:
        raise UsageError(
            f"{share:.0%} of the letters of the texts are {languages}, written without spaces between words, and "
            f"{packages}, which finds the words, is not installed; {install}"
        )
    return (
        f"{missing.total()} letters of the texts are {languages} and are cut into single characters, because "
        f"{packages}, which finds the words, is not installed; {install}"
    )


def _language(script: str, text: str) -> str:
    return "Thai" if script == "thai" else _east_asian_language(text)


def _east_asian_language(text: str) -> str:
    kana = len(_KANA.findall(text))
    return "Japanese" if kana and kana >= MIN_KANA_SHARE * (kana + len(_HAN.findall(text))) else "Chinese"


def _segmented(run: str, start: int, segmenter: Segmenter) -> Iterable[tuple[int, int]]:
    """Return the spans of the words of one run of letters that begins at ``start``."""
    # Segmenters may give empty words, too; a dictionary keeps each cut once, in order.
    cuts = list(dict.fromkeys(accumulate(map(len, segmenter(run)), initial=0)))
    if _MARK.search(run):
        # Not all of them know every mark; it stays with the character that it is drawn on.
        cuts = [cut for cut in cuts if cut in (0, len(run)) or not _MARK.match(run, cut)]
    return pairwise([start + cut for cut in cuts])


def _segmenter(language: str) -> Segmenter:
    return _characters if _missing(language) else _loaded(language)


def _characters(run: str) -> list[str]:
    return _SEEN.findall(run)


@cache
def _missing(language: str) -> str:
    return " and ".join(name for name in _PACKAGES[language] if importlib.util.find_spec(name) is None)


@cache
def _loaded(language: str) -> Segmenter:
    """Return the segmenter of a language; its dictionary is loaded here, once."""
    if language == "Chinese":
        import rjieba

        return rjieba.cut
    if language == "Japanese":
        from sudachipy import Dictionary, SplitMode

        tokenizer = Dictionary(dict="small").tokenizer(mode=SplitMode.A)
        return lambda run: [word.surface() for word in tokenizer.tokenize(run)]
    from pythainlp.tokenize import word_tokenize

    return lambda run: word_tokenize(run, engine="newmm")
