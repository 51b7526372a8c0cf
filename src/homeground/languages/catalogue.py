"""A catalogue of messages with places for values, in which a finished text finds its message again."""

from __future__ import annotations

import gettext
import re
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise
from typing import Any

PLACE = re.compile(r"\{(\d+)(?::n)?\}")
"""The place of a value in a message, numbered from 0; ``{1:n}`` is that of a number."""

# A number as messages write it, or what stands for one that is missing.
NUMBER = r"([-+−]?\d(?:[\d,.]*\d)?(?:e[-−]?\d+)?%?|–|inf|nan|not defined)"

SEPARATORS = (("\n", "\n"), (". ", "。"), ("; ", "；"), (": ", "："), (", ", "，"))
"""What parts of a text are put together with, and how their translations are; the first that helps is taken."""

SENTENCES = ("\n", ". ", "; ")
"""Between these, parts of a text are translated for themselves, even where others are not."""

MOST_NESTED_MESSAGES = 12
"""How deep messages may stand inside messages."""

TEXTS_REMEMBERED = 16_384
"""Texts whose translation is kept: the parts of a text are looked up again and again until they fit together."""

FEWEST_LETTERS = 10
"""Letters of a message below which it says little itself, as ``{0} to {1}`` does: its values hold no sentence."""

LETTERS_OF_SURE = 16
"""Letters from which a message is the one even where a value of it stays English."""

# English words that are left in a translated value: two in a row, or a single one.
_PROSE = re.compile(r"[a-z]{2,} [a-z]{2,}|^[a-z]+$")
# Names, paths, flags and commands, which are no English prose.
_QUOTED = re.compile(r'"[^"]*"|`[^`]*`|\S*[/\\.]\S+|--\S+|homeground( \w+)?')
_NEXT_SENTENCE = re.compile(r"(?<!\bno)\. (?=[A-Z0-9])")
_STEP = re.compile(r"\[\w+\] ")
_PART_ENDS = re.compile("[;:] ")
_COLON = re.compile(": ")
_IN_QUOTES = re.compile(r'"[^"]*"')
_TRANSLATED = re.compile(r"[，。；：（）]")
"""Marks that a translation has and no English message."""

_LETTER = re.compile(r"[A-Za-z]")


class Catalogue(gettext.GNUTranslations):
    """A compiled catalogue of gettext whose messages are found from finished texts as well."""

    def _parse(self, fp: Any) -> None:
        super()._parse(fp)
        read: dict[Any, str] = getattr(self, "_catalog")  # noqa: B009 - GNUTranslations keeps the messages there
        messages = {name: text for name, text in read.items() if name and text}
        self.messages = messages
        self.plain = {name: text for name, text in messages.items() if not PLACE.search(name)}
        patterns = [Pattern(name, text) for name, text in messages.items() if PLACE.search(name)]
        patterns = [pattern for pattern in patterns if not pattern.is_ending]
        # The more of a text a message says itself, the surer it is the one.
        self._patterns = sorted(patterns, key=lambda each: -each.weight)
        self._remembered = lru_cache(TEXTS_REMEMBERED)(self._translate)
        self._most_clauses = 1 + max(message.count("; ") for message in messages)
        self._messages_of: dict[tuple[str, bool], str | None] = {}

    def translate(self, text: str) -> str:
        """Return a text in the language of the catalogue, as far as its messages are found; once only.

        The step of a chain stays before what it says: ``[domain] …``.
        """
        if _TRANSLATED.search(_IN_QUOTES.sub("", text)):
            return text
        step = _STEP.match(text)
        return self._remembered(text) if step is None else step[0] + self._remembered(text[step.end() :])

    def _translate(self, text: str, depth: int = 0) -> str:
        """Return a text translated, its values and its parts too."""
        if depth > MOST_NESTED_MESSAGES or not _LETTER.search(text) or text.startswith("homeground"):
            return text
        if (core := text.strip(" ")) != text:
            shown = self._translate(core, depth + 1)
            return text if shown == core else _spaced(text, core, shown)
        whole = self._whole(text, depth)
        if whole is not None:
            return whole
        if text.endswith(".") and "; " in text:
            return self._translate(text[:-1], depth + 1) + "。"
        for separator, joined in SEPARATORS:
            if text.startswith(separator):
                return joined + self._translate(text.removeprefix(separator), depth + 1)
        for place in _COLON.finditer(re.split("[.;] ", text)[0]):
            if (problem := self._whole(text[place.end() :], depth)) is not None:
                return _join([self._translate(text[: place.start()], depth + 1), problem], ": ", "：")
        for separator, joined in SEPARATORS:
            parts = self._parts(text, separator, depth)
            if len(parts) > 1:
                translated = [self._part(part, separator, depth + 1) for part in parts]
                if translated != parts and (separator in SENTENCES or all(map(_is_settled, translated))):
                    return _join(translated, separator, joined)
        return text

    def _parts(self, text: str, separator: str, depth: int) -> list[str]:
        """Return the parts of a text; those of a message that holds the separator itself stay together.

        A full stop ends a part only before a capital, so not in ``no. 3``.
        """
        if separator != "; ":
            return _NEXT_SENTENCE.split(text) if separator == ". " else text.split(separator)
        rest, parts = text.split(separator), list[str]()
        while rest:
            longest = min(len(rest) - (not parts), self._most_clauses)
            whole = (
                count for count in range(longest, 1, -1) if self._whole(separator.join(rest[:count]), depth) is not None
            )
            count = next(whole, 1)
            parts.append(separator.join(rest[:count]))
            rest = rest[count:]
        return parts

    def _part(self, text: str, separator: str, depth: int) -> str:
        """Return a part translated; a message may be written with the separator before it, or its full stop."""
        if separator == ". " and not text.endswith("."):
            whole = self._found(text + ".", depth, as_written=False)
            if whole is not None:
                return whole.rstrip("。")
        if self._whole(text, depth) is None:
            after = self._found(separator + text, depth, as_written=False)
            if after is not None:
                return after.lstrip("，；：。 ")
        return self._translate(text, depth)

    def _whole(self, text: str, depth: int) -> str | None:
        """Return the translation of the message that a text is, up to its first letter's case and a full stop."""
        if text.endswith(".") and len(text) > 1 and (found := self._whole(text[:-1], depth)) is not None:
            return found + "。"
        for form in dict.fromkeys((text, text[:1].lower() + text[1:], text[:1].upper() + text[1:])):
            found = self._found(form, depth, as_written=form == text)
            if found is not None:
                return found
        return None

    def _found(self, text: str, depth: int, *, as_written: bool) -> str | None:
        """Return the translation of the one message that a text is; ``as_written`` is its first letter in its case."""
        key = (text, as_written)
        if key not in self._messages_of:
            if len(self._messages_of) >= TEXTS_REMEMBERED:
                self._messages_of.clear()
            self._messages_of[key] = self.plain.get(text) or self._filled(text, depth, as_written=as_written)
        return self._messages_of[key]

    def _filled(self, text: str, depth: int, *, as_written: bool) -> str | None:
        for pattern in self._patterns:
            values = pattern.match(text) if as_written or not pattern.is_weak else None
            if values is None:
                continue
            translated = [self._value(pattern, place, value, depth) for place, value in enumerate(values)]
            # A message that says little is the one only if nothing else in the text is left to say.
            values = [value for place, value in enumerate(translated) if place not in pattern.quoted]
            if pattern.letters >= LETTERS_OF_SURE or all(map(_is_settled, values)):
                return pattern.fill(translated)
        return None

    def _value(self, pattern: Pattern, place: int, value: str, depth: int) -> str:
        """Return a value as it is shown: a message is translated, a quoted name never."""
        return value if place in pattern.quoted else self._translate(value, depth + 1)


class Pattern:
    """A message with places and its translation; values in double quotes, or before a slash, are names."""

    def __init__(self, message: str, translation: str) -> None:
        pieces = PLACE.split(message)
        self._literals = [piece for piece in pieces[::2] if piece]
        self._numbers = [int(number) for number in pieces[1::2]]
        self._translation = translation
        self.weight = sum(map(len, self._literals))
        self._has_words = any(not place[0].endswith(":n}") for place in PLACE.finditer(message))
        self.letters = sum(map(str.isalpha, "".join(self._literals)))
        self.quoted = {
            number
            for place, number in enumerate(self._numbers)
            if (pieces[2 * place].endswith('"') and pieces[2 * place + 2].startswith('"'))
            or pieces[2 * place + 2].startswith("/")
        }
        kinds = [NUMBER if place[0].endswith(":n}") else "(.*?)" for place in PLACE.finditer(message)]
        body = "".join(map("".join, zip(map(re.escape, pieces[::2]), [*kinds, ""], strict=True)))
        self._regex = re.compile(body, re.DOTALL)

    @property
    def is_ending(self) -> bool:
        """Whether a message is no more than an ending, as in ``{0}s``, which any word has."""
        return self.letters == 1 and self._has_words

    @property
    def is_weak(self) -> bool:
        """Whether a message says so little itself that it might be found in any text."""
        return self.letters < FEWEST_LETTERS

    def match(self, text: str) -> list[str] | None:
        """Return the values of a text by their numbers; None if it is another message."""
        start = 0
        for literal in self._literals:
            start = text.find(literal, start)
            if start < 0:
                return None
            start += len(literal)
        found = self._regex.fullmatch(text)
        if found is None:
            return None
        values: dict[int, Any] = dict(zip(self._numbers, found.groups(), strict=True))
        # A sentence that follows is no part of this one, nor does one that says little hold half a sentence.
        written = [value for number, value in values.items() if number not in self.quoted]
        if any(_NEXT_SENTENCE.search(value) or (self.is_weak and _PART_ENDS.search(value)) for value in written):
            return None
        return [values.get(number, "") for number in range(max(values) + 1)]

    def fill(self, values: list[str]) -> str:
        """Return the translation with values."""
        return PLACE.sub(lambda place: values[int(place[1])], self._translation)


def _is_settled(text: str) -> bool:
    """Tell whether no English prose is left in a translated value, names and paths aside."""
    return not _PROSE.search(_QUOTED.sub("", text).strip())


def _spaced(text: str, core: str, shown: str) -> str:
    """Return the translation of a text without its outer spaces, with those that stand beside Latin letters."""
    lead, trail = text.split(core, 1)
    return (lead if shown[:1].isascii() else "") + shown + (trail if shown[-1:].isascii() else "")


def _join(parts: list[str], separator: str, joined: str) -> str:
    """Return parts in a row, between two translated ones with the separator of the language."""
    text = parts[0]
    for before, after in pairwise(parts):
        translated = not before.isascii()
        text += (joined if translated else separator) + after
    return text


def read_catalogue(code: str) -> Catalogue:
    """Return the compiled catalogue of a language."""
    with (files("homeground.languages") / f"{code}.mo").open("rb") as file:
        return Catalogue(file)
