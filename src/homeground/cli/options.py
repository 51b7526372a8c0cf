"""The options commands share; those of ``adapt`` are made from the fields of the recipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

import click

from homeground.errors import UsageError
from homeground.recipe.recipe import Recipe, Setting, settings

FEW = 4
"""Choices that still fit into the place of a flag's value; more are listed in its help."""

Command = TypeVar("Command", bound=Callable[..., Any])

quiet = click.option("--quiet", is_flag=True, help="Say nothing but the result and errors.")
as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
debug = click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")


def common(command: Command) -> Command:
    """Add --json, --quiet and --debug."""
    return as_json(quiet(debug(command)))


def recipe_options(command: Command) -> Command:
    """Add every setting of the recipe as a flag, and ``--set section.field=value`` for its full name."""
    for setting in reversed([setting for setting in settings() if setting.name != "data"]):
        command = _option(setting)(command)
    return click.option(
        "assignments", "--set", multiple=True, metavar="SECTION.FIELD=VALUE", help="Any setting by its full name."
    )(command)


def sections(*names: str) -> Callable[[Command], Command]:
    """Return what adds some settings of the recipe as flags: those of whole sections, and single ones by their name."""

    def add(command: Command) -> Command:
        for setting in reversed([setting for setting in settings() if {setting.section, setting.name} & set(names)]):
            command = _option(setting)(command)
        return command

    return add


reading_options = sections("reading", "columns")
"""Adds the settings that say how a file is written and which column is which."""


def given(values: dict[str, Any], assignments: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the settings that were typed, those of --set last."""
    typed = {name: value for name, value in values.items() if value is not None}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals:
            raise UsageError(f'--set "{assignment}": expected SECTION.FIELD=VALUE, e.g. --set training.epochs=3')
        typed[name.strip()] = value.strip()
    return typed


def read_titles(titles: str) -> list[str]:
    """Return the texts of ``a,b,c``, or the lines of a file of that name."""
    try:
        listed = Path(titles).read_text(encoding="utf-8").splitlines() if Path(titles).is_file() else titles.split(",")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--titles {titles}: cannot be read as UTF-8 text ({error})") from None
    texts = [text.strip() for text in listed if text.strip()]
    if len(texts) < 2:
        raise UsageError(f'--titles "{titles}": expected at least two texts, as a,b,c or as a file with one a line')
    return texts


class GroupedCommand(click.Command):
    """A command whose help lists the settings section by section, with the full name of each section's fields."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's own options first, then the recipe's by section."""
        sections = {setting.name: setting.section for setting in settings()}
        rows: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record is not None:
                section = sections.get(parameter.name or "")
                rows.setdefault("Options" if section is None else section or "recipe", []).append(record)
        order = ["Options", "recipe", *Recipe.model_fields]
        for section in sorted(rows, key=order.index):
            title = "Options" if section == "Options" else "Recipe" if section == "recipe" else f"Recipe, [{section}]"
            with formatter.section(title):
                formatter.write_dl(rows[section])


def _option(setting: Setting) -> Callable[[Command], Command]:
    text = _help(setting)
    if setting.field.annotation is bool or bool in get_args(setting.field.annotation):
        names = f"{setting.flag}/--no-{setting.name.replace('_', '-')}"
        return click.option(names, setting.name, default=None, help=text)
    return click.option(setting.flag, setting.name, default=None, metavar=_metavar(setting), help=text)


def _help(setting: Setting) -> str:
    default = setting.field.default
    shown = "" if default is None or setting.field.is_required() else f" [{_plain(default)}]"
    choices = _choices(list(_leaves(setting.field.annotation)))
    listed = f": {', '.join(choices)}" if len(choices) > FEW else ""
    return f"{setting.field.description}{listed}{shown}"


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _metavar(setting: Setting) -> str:
    leaves = list(_leaves(setting.field.annotation))
    choices = _choices(leaves)
    if choices:
        return "|".join(choices) if len(choices) <= FEW else "NAME"
    if tuple in leaves:
        return "A,B,…"
    if {float, str} <= set(leaves):
        return "X|FILE"
    return {int: "N", float: "X"}.get(leaves[0], "NAME")


def _choices(leaves: list[Any]) -> list[str]:
    """Return the values a setting is limited to, if it is."""
    return [str(leaf) for leaf in leaves if isinstance(leaf, str | int)]


def _leaves(annotation: Any) -> Iterator[Any]:
    """Yield the plain types and literal values an annotation is made of; of a tuple only that it is one."""
    if get_origin(annotation) is tuple:
        yield tuple
    elif get_origin(annotation) is Annotated:
        yield from _leaves(get_args(annotation)[0])
    elif get_args(annotation):
        for argument in get_args(annotation):
            yield from _leaves(argument)
    else:
        yield annotation
