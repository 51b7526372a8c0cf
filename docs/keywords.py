"""Writes src/homeground/recipe/keywords.py from the recipe: the keywords of ``homeground.adapt`` with their types.

    python -m docs.keywords

Editors complete them, and type checkers refuse a keyword or a value that is none.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from homeground.recipe.recipe import FILES, Setting, settings
from homeground.recipe.sections import may_be_none

MODULE = Path(__file__).parent.parent / "src" / "homeground" / "recipe" / "keywords.py"
WIDTH = 120

PATHS = (("", "checkpoint"), ("", "out"))
"""The settings that may be a path, such as a Run; those of data may be a table, too."""

MEASURING = (
    *("task", "engine", "seed", "max_length", "mask_draws", "pll", "bootstrap_draws", "evaluation_batch_size"),
    *("primary_metric", "pooling", "truncation", "keep_contaminated", "trust_saved_model"),
)
"""The settings of ``evaluate`` and ``compare`` beside those of columns and reading."""

HEAD = '''"""The keywords of ``homeground.adapt`` and other functions, with their types.

Made from the recipe by ``python -m docs.keywords``; do not edit it.
"""

# ruff: noqa: D101 - what they are is said by their names

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Literal, TypedDict

from homeground.recipe.files import Data'''


def module() -> str:
    """Return the text of the module."""
    by_section: dict[str, list[Setting]] = {}
    for setting in settings():
        by_section.setdefault(setting.section, []).append(setting)
    parts = [f"{HEAD}\n"]
    for section, listed in by_section.items():
        fields = [line for setting in listed if setting.name != "data" for line in _field(setting)]
        parts.append("\n".join([f"class {_name(section)}(TypedDict, total=False):", *fields, ""]))
    bases = "".join(f"    {_name(section)},\n" for section in by_section)
    parts.append(
        f'class SettingKeywords(\n{bases}    total=False,\n):\n    """The settings of a run but its data."""\n'
    )
    data = [line for setting in settings() if setting.name == "data" for line in _field(setting)]
    head = "class AdaptKeywords(SettingKeywords, total=False):"
    parts.append("\n".join([head, '    """The settings of a run."""', "", *data, ""]))
    measuring = [line for setting in settings() if setting.name in MEASURING for line in _field(setting)]
    head = "class MeasureKeywords(ColumnsKeywords, ReadingKeywords, total=False):"
    parts.append("\n".join([head, '    """The settings of a measurement."""', "", *measuring, ""]))
    return "\n\n".join(parts)


def _name(section: str) -> str:
    return f"{section.capitalize() or 'Recipe'}Keywords"


def _field(setting: Setting) -> Iterator[str]:
    """Yield the lines of one keyword: its type and its description."""
    kinds = list(dict.fromkeys(_kinds(setting.field.annotation)))
    if (setting.section, setting.name) in FILES:
        kinds = [*(kind for kind in kinds if kind != "str"), "Data"]
    elif (setting.section, setting.name) in PATHS:
        kinds.append("PathLike[str]")
    if may_be_none(setting.field):
        kinds.append("None")
    line = f"    {setting.name}: {' | '.join(kinds)}"
    if len(line) > WIDTH:
        before, _, rest = line.partition("Literal[")
        choices, _, after = rest.rpartition("]")
        listed = "".join(f"        {choice},\n" for choice in choices.split(", "))
        line = f"{before}Literal[\n{listed}    ]{after}"
    yield line
    description = str(setting.field.description)
    description = f"{description[0].upper()}{description[1:]}."
    text = f'    """{description}"""'
    yield from [text] if len(text) <= WIDTH else _wrapped(description)


def _wrapped(description: str) -> list[str]:
    first, *rest = textwrap.wrap(f'"""{description}', WIDTH - 4)
    return [f"    {first}", *(f"    {line}" for line in rest), '    """']


def _kinds(annotation: Any) -> Iterator[str]:
    """Yield the types that a setting may have, as Python writes them; texts of the command line are left out."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _kinds(get_args(annotation)[0])
    elif origin is Literal:
        yield f"Literal[{', '.join(repr(value).replace(chr(39), chr(34)) for value in get_args(annotation))}]"
    elif origin is tuple:
        parts = get_args(annotation)
        if Ellipsis in parts:
            yield from (f"Sequence[{parts[0].__name__}]", "str")
        else:
            yield f"tuple[{', '.join(part.__name__ for part in parts)}]"
    elif origin in (Union, UnionType):
        for part in get_args(annotation):
            yield from _kinds(part)
    elif annotation is not NoneType:
        yield annotation.__name__


if __name__ == "__main__":
    MODULE.write_text(module(), encoding="utf-8")
