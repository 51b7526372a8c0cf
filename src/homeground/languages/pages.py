"""Templates of pages, translated as they are loaded.

A template is text and ``{{ values }}`` between tags of HTML and statements of Jinja2. Each run of text and values is a
message, its values numbered in order; so is each attribute that people read. Values inside ``<bdi>``, ``<code>`` and
``<pre>`` are the user's or a program's and stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

READ_ALOUD = ("aria-label", "data-label", "title", "alt")
"""Attributes that people read or hear; any other is for programs."""

VERBATIM_TAGS = ("bdi", "code", "pre", "style", "script")
_ATTRIBUTE = re.compile(rf'((?:{"|".join(READ_ALOUD)})=")((?:[^"{{}}]|\{{\{{.*?\}}\}})+)(")', re.DOTALL)
_OPEN_ATTRIBUTE = re.compile(r'([\w-]+)="[^"]*$')
_PIECES = re.compile(r"\{%.*?%\}|\{#.*?#\}|\{\{.*?\}\}|<[a-zA-Z/!]|>", re.DOTALL)
_SPACES = re.compile(r"\s+")
_LETTERS = re.compile(r"[A-Za-z]{2,}|\b[a-z]\b")


class Verbatim(str):
    """A text that is never translated."""

    __slots__ = ()


def messages_in(source: str) -> Iterator[str]:
    """Yield every message of a template."""
    found: list[str] = []

    def note(message: str) -> None:
        found.append(message)

    translated_template(source, note)
    yield from found


def translated_template(source: str, translate: Callable[[str], str | None]) -> str:
    """Return a template with every message translated; ``translate`` returns None where there is no translation."""
    written: list[str] = []
    inside: list[str] = []
    run: list[str] = []
    place = opened = 0
    in_tag = False

    def close() -> None:
        text = "".join(run)
        run.clear()
        written.append(text if inside else _translated_run(text, translate))

    for match in _PIECES.finditer(source):
        before, piece = source[place : match.start()], match[0]
        place = match.end()
        if in_tag:
            written.append(before)
            if piece.startswith("{{"):
                attribute = _OPEN_ATTRIBUTE.search("".join(written[opened:]))
                read = attribute is not None and attribute[1] in READ_ALOUD
                piece = piece if read else _verbatim(piece)
            written.append(piece)
            if piece == ">":
                in_tag = False
                _enter(inside, "".join(written))
        elif piece.startswith("{{"):
            run += [before, _verbatim(piece) if inside else piece]
        elif piece == ">":
            run += [before, piece]
        else:
            run.append(before)
            close()
            written.append(piece)
            in_tag, opened = piece.startswith("<"), len(written)
    run.append(source[place:])
    close()
    return _ATTRIBUTE.sub(lambda each: each[1] + _translated_run(each[2], translate) + each[3], "".join(written))


def _verbatim(value: str) -> str:
    """Return the place of a value in a template so that it stays as it is."""
    return f"{{{{ ({value[2:-2].strip(' -')}) | verbatim }}}}"


def _enter(inside: list[str], written: str) -> None:
    """Keep the stack of verbatim tags after a tag that has just been closed with its angle bracket."""
    tag = re.match(r"<(/?)([a-zA-Z0-9]+)", written[written.rindex("<") :])
    if tag is None or tag[2].lower() not in VERBATIM_TAGS:
        return
    if not tag[1]:
        inside.append(tag[2])
    elif inside:
        inside.pop()


def _translated_run(run: str, translate: Callable[[str], str | None]) -> str:
    """Return a run of text and values translated, with the space around it."""
    values: list[str] = []

    def number(match: re.Match[str]) -> str:
        values.append(match[0])
        return f"{{{len(values) - 1}}}"

    text = re.sub(r"\{\{.*?\}\}", number, run, flags=re.DOTALL)
    stripped = _SPACES.sub(" ", text).strip()
    if not _LETTERS.search(re.sub(r"\{\d+\}|&\w+;", "", stripped)):
        return run
    translation = translate(stripped)
    if translation is None:
        return run
    lead, trail = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    return lead + re.sub(r"\{(\d+)\}", lambda place: values[int(place[1])], translation) + trail
