"""Running text cut into words: what a tag is given to where a file has no words of its own."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

Places = tuple[tuple[int, int], ...]

WITHOUT_SPACES = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3038-\u303b\u3040-\u30ff\u31f0-\u31ff"  # Japanese, and Chinese radicals
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"  # Chinese
)
"""Characters of writing systems that put no spaces between words: each is a word by itself."""

MARKS_WITHIN = (*range(0x300, 0x20000), *range(0xE0100, 0xE01F0))
"""The code points among which all marks are that combine with the letter before them."""


def cut_into_words(text: str) -> Places:
    """Return the places ``(start, end)`` of the words of a text, in characters.

    A word is a run of letters, digits and their marks. Any other character that is no white space is a word by itself,
    as is each character of a writing system without spaces.

    >>> [text[start:end] for text in ["Don't pay 3,5€", "在北京 work"] for start, end in cut_into_words(text)]
    ['Don', "'", 't', 'pay', '3', ',', '5', '€', '在', '北', '京', 'work']
    """
    return tuple(match.span() for match in _pattern().finditer(text))


@cache
def _pattern() -> re.Pattern[str]:
    marks = "".join(letter for letter in map(chr, MARKS_WITHIN) if unicodedata.category(letter).startswith("M"))
    alone = f"[{WITHOUT_SPACES}][{marks}]*"
    return re.compile(rf"{alone}|(?:(?![{WITHOUT_SPACES}])[\w{marks}])+|\S[{marks}]*")
