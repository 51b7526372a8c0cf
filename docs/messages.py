"""The catalogues of messages, src/homeground/languages/zh.po and zh.mo, kept up with the source.

    python -m docs.messages            add new messages, drop those that are gone, compile
    python -m docs.messages --missing  print the messages without a translation

A message is a text of the source that people may read: a string or an f-string of two words or more, its values as
places ``{0}``, ``{1}`` in their order; a noun of `count`, in singular and plural; a run of text in a template.
Docstrings, descriptions of settings and fields, and what only programs read are no messages. Words that stand alone and
are put together while a program runs are listed in ``WORDS``.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from babel.messages import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from jinja2 import Environment, nodes

from homeground.checkpoint import catalog
from homeground.languages.pages import messages_in
from homeground.statistics.glossary import METRICS

SOURCE = Path(__file__).parent.parent / "src" / "homeground"
LANGUAGES = SOURCE / "languages"

LEFT_OUT = ("reports/model_card.py", "languages", "cli/options.py", "recipe/keywords.py")
"""Files whose texts are read in English by everyone: the card of a published model, and what documents settings."""

NO_MESSAGES = frozenset(
    (
        *("field", "Field", "option", "argument", "compile", "encode", "group", "command", "version_option", "TypeVar"),
        *("AssertionError", "Parameter", "getattr", "add_argument", "fullmatch", "search", "match", "finditer"),
        *("split", "sub", "Line", "generator"),
    )
)
"""Calls whose texts are for programs or for the documentation of settings."""

WORDS = """
HELPED | HURT | NO EVIDENCE | UNDECIDED | TOO FEW | KEPT | FORGOT | PROBLEM | WARNING | NOTE | lengths
characters | tokens | texts | pairs | documents | group | groups | unit | units | cpu | cuda | {0:n} train
{0:n} validation | {0:n} test | cleaning | date | task | data | checkpoint | metric | {0} ↓ | {0} ↑
{0} after | punctuation | loss {0:n} | {0} {1:n} | validation {0:n} | {0} {1:n} (best so far)
loss {0:n}, validation {1:n} | {0} {1:n}, validation {2:n} | {0} validation {1:n} | trial {0:n} of {1:n}: {2}
are {0:n} independent {1} | is {0:n} independent {1} | the {0} | problem | warning | note | class | label
labels | classes | saved | first | first seed | entity | before, {0}: {1:n} | after, {0}: {1:n}
{0} of {1} left out: {2} | {0:n} of {1:n} were left out: {2} | {0} or {1} | validation | train | test | fold
folds | page | result | baseline | model | report | rows {0} | row {0} | {0} learns from {1} | the {0} {1}
no entity | Why | Perplexities | {0:n} documents | type | types | {0:n} types | scores | similarities
similarity | classification | Expecting value | spans | Text_{0:n} alone | text_{0:n} alone | score
first text | better | worse | fixed | broken | not installed | positive is better | training | true
greater than {0:n} | greater than or equal to {0:n} | less than {0:n} | less than or equal to {0:n}
tf-idf cosine | frozen embeddings | majority class | token frequencies | linear tagger | usual tags
{0} and {1} | {0} ({1:n}) | {0} ({1}) | {0}/ ({1}) | {0:n} texts have | {0:n} text has | {0} to {1}
HELPED at predicting masked words | HURT at predicting masked words | scored | ranked | confidence
predicted as {0} with other ends | {0:n} to {1:n} | test {0} | test {0}s | macro f1 | entity f1 | before
after | document | text | pair | example | {0:n} s | {0:n} min | {0:n} h | {0:n} min {1:n} s
"""
"""Words that stand alone, or are put together while a program runs, between bars."""

_PROSE = re.compile(r"[A-Za-z]{2,}[,;:.!?)\"]* +\S|\S +[\"(]?[A-Za-z]{2,}")
_PLACE = re.compile(r"\{(\d+)(:n)?\}")
NUMBERS = frozenset(
    ("line", "last_line", "first_line", "row", "step", "total", "epoch", "seed", "folds", "number_of_folds")
)
"""Names of variables that hold a number."""

NUMERIC = re.compile(r"[+]?[,.\d]*[%defg]?")
"""A format of numbers."""


def messages() -> list[str]:
    """Return every message of the source, each once, in the order of the files."""
    words = re.split(r" \| |\n", WORDS.strip())
    found: dict[str, None] = dict.fromkeys((*words, *(entry.good_for for entry in catalog())))
    for metric in METRICS.values():
        names = (metric.label, metric.label.lower(), metric.in_sentences, f"{metric.label.lower()} {{0:n}}")
        found |= dict.fromkeys((*names, metric.meaning))
    for path in sorted(SOURCE.rglob("*.py")):
        if not path.relative_to(SOURCE).as_posix().startswith(LEFT_OUT):
            found |= dict.fromkeys(_of_module(ast.parse(path.read_text(encoding="utf-8"))))
    for path in sorted((SOURCE / "reports" / "templates").glob("*.html")):
        source = path.read_text(encoding="utf-8")
        found |= dict.fromkeys(messages_in(source))
        found |= dict.fromkeys(_of_expressions(source))
    return list(found)


def _of_module(tree: ast.Module) -> Iterator[str]:
    silent = set(_silent(tree))
    for node in ast.walk(tree):
        if id(node) in silent:
            continue
        if isinstance(node, ast.Call) and _name(node.func) == "count" and len(node.args) > 1:
            yield from _counted([_text(argument) for argument in node.args[1:]])
        elif (text := _text(node)) is not None and _is_prose(text):
            yield text.strip()
        elif isinstance(node, ast.Call) and _name(node.func) in ("Remark", "Metric") and node.args:
            yield from (each.value for each in node.args[:2] if isinstance(each, ast.Constant) and _word(each.value))


def _word(value: object) -> bool:
    return isinstance(value, str) and "_" not in value


def _counted(nouns: list[str | None]) -> Iterator[str]:
    """Yield what `count` writes of one and of several."""
    singular, plural = nouns[0], nouns[1] if len(nouns) > 1 else None
    if singular:
        yield f"{{0:n}} {_moved(singular)}"
        yield f"{{0:n}} {_moved(plural or singular + 's')}"


def _moved(text: str) -> str:
    """Return a text whose places come after one more."""
    return _PLACE.sub(lambda place: f"{{{int(place[1]) + 1}{place[2] or ''}}}", text)


def _text(node: ast.AST) -> str | None:
    """Return the text of a string or an f-string, its values as numbered places; None for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        places = count()
        return re.sub(r"\{[a-z_]*\}", lambda _: f"{{{next(places)}}}", node.value)
    if not isinstance(node, ast.JoinedStr):
        return None
    return _with_places(
        [(str(part.value), "") if isinstance(part, ast.Constant) else (None, _kind(part)) for part in node.values]
    )


def _with_places(parts: list[tuple[str | None, str]]) -> str:
    """Return texts in a row; what is no text, given with the kind of its value, is a numbered place."""
    numbers = count()
    return "".join(f"{{{next(numbers)}{kind}}}" if text is None else text for text, kind in parts)


def _kind(part: ast.expr) -> str:
    return ":n" if _is_number(part) else ""


def _is_number(part: ast.expr) -> bool:
    """Tell whether a value of an f-string is written as a number alone."""
    if not isinstance(part, ast.FormattedValue):
        return False
    if part.format_spec is not None:
        texts = (each.value for each in ast.walk(part.format_spec) if isinstance(each, ast.Constant))
        return NUMERIC.fullmatch("".join(map(str, texts))) is not None
    call = part.value
    if isinstance(call, ast.Name | ast.Attribute):
        return (call.attr if isinstance(call, ast.Attribute) else call.id) in NUMBERS
    return isinstance(call, ast.Call) and (
        _name(call.func) in ("decimal", "number", "signed", "percent", "in_terminal", "len")
        or (_name(call.func) == "count" and len(call.args) == 1)
    )


def _silent(tree: ast.Module) -> Iterator[int]:
    """Yield the nodes that hold no message of their own: docstrings, parts of f-strings, what programs read."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield id(node.value)
        elif isinstance(node, ast.JoinedStr):
            for part in node.values:
                yield id(part)
                if isinstance(part, ast.FormattedValue) and part.format_spec is not None:
                    yield from map(id, ast.walk(part.format_spec))
        elif isinstance(node, ast.Call) and _name(node.func) in NO_MESSAGES:
            yield from (id(each) for argument in (*node.args, *node.keywords) for each in ast.walk(argument))


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _is_shown(text: str) -> bool:
    return _is_prose(text) or re.fullmatch(r"[A-Z][a-z]+", text) is not None


def _is_prose(text: str) -> bool:
    """Tell whether a text is something that people read: words with spaces between, and no command or code."""
    plain = _PLACE.sub("x1", text)
    if not _PROSE.search(plain) or ("<" in text and ">" in text) or text.startswith(("homeground ", "pip ", "from ")):
        return False
    return len(re.findall(r"[A-Za-z]{2,}", _PLACE.sub("", text))) > 0


def _of_expressions(source: str) -> Iterator[str]:
    """Yield the texts inside the values of a template, those put together with ``~`` as one."""
    tree = Environment().parse(source)  # noqa: S701 - nothing is rendered
    for node in tree.find_all((nodes.Concat, nodes.Const, nodes.Filter)):
        if isinstance(node, nodes.Concat):
            parts = [(str(each.value) if isinstance(each, nodes.Const) else None, "") for each in node.nodes]
            if _is_prose(text := _with_places(parts)):
                yield text.strip()
        elif isinstance(node, nodes.Filter) and node.name == "count" and node.args:
            yield from _counted([each.value if isinstance(each, nodes.Const) else None for each in node.args])
        elif isinstance(node, nodes.Const) and isinstance(node.value, str) and _is_shown(node.value):
            yield node.value.strip()


def read(path: Path) -> Catalog:
    """Return a catalogue; an empty one where there is none yet."""
    if not path.is_file():
        return Catalog(locale="zh", project="homeground")
    with path.open("rb") as file:
        catalog = read_po(file, locale="zh")
    # The same messages give the same bytes, whenever they are compiled.
    catalog.creation_date = catalog.revision_date = datetime(2026, 1, 1, tzinfo=UTC)
    return catalog


def updated(catalog: Catalog) -> Catalog:
    """Return a catalogue of the messages of the source, with the translations that are there."""
    new = Catalog(locale=catalog.locale, project="homeground", charset="utf-8")
    known = {str(each.id).replace(":n}", "}"): each.string for each in catalog if each.id}
    for message in messages():
        new.add(message, known.get(message.replace(":n}", "}"), ""))
    return new


def write(catalog: Catalog, path: Path) -> None:
    """Write a catalogue and its compiled form; the same messages give the same bytes."""
    with path.open("wb") as file:
        write_po(file, catalog, omit_header=True, width=110, sort_output=False)
    with path.with_suffix(".mo").open("wb") as file:
        write_mo(file, read(path))


def main() -> None:
    """Bring the catalogue up to date, or print what it lacks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--missing", action="store_true")
    missing = parser.parse_args().missing
    known = updated(read(LANGUAGES / "zh.po"))
    if missing:
        sys.stdout.write("".join(f"{each.id}\n" for each in known if each.id and not each.string))
        return
    write(known, LANGUAGES / "zh.po")


if __name__ == "__main__":
    main()
