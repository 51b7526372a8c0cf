"""The steps of cleaning, each a function from text to text, and the table of all of them.

Steps that keep every character in its place may be used where spans of text are marked. The libraries behind steps are
an extra, and are imported when a step is made.
"""

from __future__ import annotations

import html
import importlib
import importlib.util
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import regex

from homeground.data.segmentation import UNSPACED, word_spans
from homeground.errors import UsageError, nearest

Step = Callable[[str], str]
"""Changes one text."""

INSTALL = "pip install 'homeground[cleaning]'"

FULL_WIDTH = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)} | {0x3000: " "}
"""Full-width forms of ASCII and the ideographic space, each with the one character that it stands for."""

INLINE_TAGS = "a|abbr|b|code|del|em|font|i|ins|kbd|mark|q|s|small|span|strong|sub|sup|tt|u|wbr"
"""Tags inside a word or a sentence; all others end one, so a space takes their place."""

_HIDDEN = re.compile(r"<(script|style)\b[^>]*>.*?</\1\s*>|<!--.*?-->", re.DOTALL | re.IGNORECASE)
_INLINE = re.compile(rf"</?(?:{INLINE_TAGS})(?:\s[^<>]*)?/?>", re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z][a-zA-Z0-9:-]*(?:\s[^<>]*)?/?>|<![a-zA-Z][^<>]*>")
_URL = re.compile(
    r"(?i)(?<![a-z0-9])(?:https?|ftp)://[^\s<>\"'，。；、）】》]+|(?<![a-z0-9])www\.[^\s<>\"'，。；、）】》]+"
)
_PUNCTUATION = regex.compile(r"(?V1)(?<=\p{L})['’](?=\p{L})(*SKIP)(*FAIL)|[\p{P}\p{S}]+")
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")
_UNSPACED_LETTER = regex.compile(rf"(?V1)[{UNSPACED}]")


@dataclass(frozen=True)
class CleaningStep:
    """A step of cleaning.

    ``make`` returns the function for a language, which only some steps need; ``package`` is what must be installed for
    it. ``keeps_places`` says that every character stays in its place, so that marked spans remain right.
    """

    meaning: str
    make: Callable[[str | None], Step]
    keeps_places: bool = False
    package: str | None = None


def _fix_encoding(_: str | None) -> Step:
    fix: Step = importlib.import_module("ftfy").fix_encoding
    return fix


def _strip_html(_: str | None) -> Step:
    def strip(text: str) -> str:
        if "<" in text:
            text = _TAG.sub(" ", _INLINE.sub("", _HIDDEN.sub(" ", text)))
        return html.unescape(text) if "&" in text else text

    return strip


def _normalize_width(_: str | None) -> Step:
    return lambda text: text if text.isascii() else text.translate(FULL_WIDTH)


def _remove_urls(_: str | None) -> Step:
    return lambda text: _URL.sub(" ", text)


def _remove_punctuation(_: str | None) -> Step:
    return lambda text: _PUNCTUATION.sub(" ", text)


def _segment(_: str | None) -> Step:
    def segment(text: str) -> str:
        if text.isascii() or not _UNSPACED_LETTER.search(text):
            return text
        parts: list[str] = []
        end = 0
        for start, stop in word_spans(text):
            # Only between words that touch, of which one is of a script without spaces.
            touches = start == end and start > 0
            if touches and (_UNSPACED_LETTER.match(text, start) or _UNSPACED_LETTER.match(text, end - 1)):
                parts.append(" ")
            parts.append(text[end:stop])
            end = stop
        return "".join([*parts, text[end:]])

    return segment


def _remove_stop_words(language: str | None) -> Step:
    lists: Any = importlib.import_module("stopwordsiso")
    if language is None:
        raise UsageError("--clean remove_stop_words needs --clean-language, a code of two letters such as en or zh")
    if not lists.has_lang(language):
        known = nearest(language, sorted(lists.langs()))
        raise UsageError(f"--clean-language {language}: there is no list of stop words for it; {known}")
    words = frozenset(word.casefold() for word in lists.stopwords(language))

    def remove(text: str) -> str:
        kept: list[str] = []
        end = 0
        for start, stop in word_spans(text):
            kept.append(text[end:start])
            if text[start:stop].casefold() not in words:
                kept.append(text[start:stop])
            end = stop
        return "".join([*kept, text[end:]])

    return remove


def _to_simplified(_: str | None) -> Step:
    converter: Any = importlib.import_module("opencc").OpenCC("t2s")

    def convert(text: str) -> str:
        if text.isascii() or _HALF_CHARACTER.search(text):  # the library takes whole characters only
            return text
        whole: str = converter.convert(text)
        # A phrase of another length would move what follows; then each character is converted by itself.
        return whole if len(whole) == len(text) else "".join(_one(text_part, converter) for text_part in text)

    return convert


def _one(character: str, converter: Any) -> str:
    converted: str = converter.convert(character)
    return converted if len(converted) == 1 else character


def _lowercase(_: str | None) -> Step:
    def lower(text: str) -> str:
        plain = text.lower()
        if len(plain) == len(text):
            return plain
        # A few capitals, such as İ, have two characters as small letters; they stay.
        return "".join(small if len(small := character.lower()) == 1 else character for character in text)

    return lower


def _collapse_whitespace(_: str | None) -> Step:
    return lambda text: " ".join(text.split())


CLEANING: dict[str, CleaningStep] = {
    "fix_encoding": CleaningStep(
        "mend text that was read in the wrong encoding, such as âœ” for ✔", _fix_encoding, package="ftfy"
    ),
    "strip_html": CleaningStep("remove tags and comments of HTML, and read &amp; as &", _strip_html),
    "normalize_width": CleaningStep(
        "write full-width letters, digits and marks in usual width", _normalize_width, True
    ),
    "remove_urls": CleaningStep("remove addresses of pages", _remove_urls),
    "remove_punctuation": CleaningStep(
        "remove punctuation and symbols, but apostrophes inside words", _remove_punctuation
    ),
    "segment": CleaningStep("put spaces between the words of Chinese, Japanese and Thai", _segment),
    "remove_stop_words": CleaningStep(
        "remove frequent words such as the, by the list of --clean-language", _remove_stop_words, package="stopwordsiso"
    ),
    "traditional_to_simplified": CleaningStep(
        "write traditional Chinese characters as simplified ones", _to_simplified, True, "opencc"
    ),
    "lowercase": CleaningStep("write capital letters as small ones", _lowercase, True),
    "collapse_whitespace": CleaningStep("write any run of spaces and line breaks as one space", _collapse_whitespace),
}
"""The steps by name."""

PRESETS: dict[str, tuple[str, ...]] = {
    "none": (),
    "light": ("fix_encoding", "strip_html", "normalize_width", "collapse_whitespace"),
    "heavy": (
        "fix_encoding", "strip_html", "normalize_width", "traditional_to_simplified", "remove_urls", "segment",
        "lowercase", "remove_stop_words", "remove_punctuation", "collapse_whitespace",
    ),
}  # fmt: skip
"""Lists of steps that have a name: none where a checkpoint has its own, what is safe, what tutorials for older models
advise."""


WORD_STEPS = frozenset({"segment", "remove_stop_words"})
"""Steps that look for words, which scripts without spaces need a segmenter for."""


def make_step(name: str, language: str | None) -> Step:
    """Return the function of a step.

    Raises:
        UsageError: its library is missing, or it has nothing for the language.
    """
    package = CLEANING[name].package
    if package is not None and importlib.util.find_spec(package) is None:
        raise UsageError(
            f"--clean {name} needs {package}; install it with: pip install {package} (for all steps: {INSTALL})"
        )
    return CLEANING[name].make(language)
