"""The options that commands share, made from the fields of the recipe, and the two levels of help."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

import click

from homeground.data.columns import find_columns, quoted_columns
from homeground.data.streams import open_rows
from homeground.data.tables import SUFFIXES, text
from homeground.errors import DataError, UsageError
from homeground.languages import LANGUAGES
from homeground.recipe.recipe import FILES, Setting, settings
from homeground.recipe.sections import ColumnNames
from homeground.tasks import TASKS

LONGEST_METAVAR = 24
"""Characters of choices shown in place of the value of a flag; longer lists of choices are in its help."""

Command = TypeVar("Command", bound=Callable[..., Any])
Groups = Mapping[str, Sequence[str]]
"""Parameters of a command by the title of their group in the help."""

quiet = click.option("--quiet", is_flag=True, help="print only the result and errors")
as_json = click.option("--json", "as_json", is_flag=True, help="print the result as JSON")
debug = click.option("--debug", is_flag=True, expose_value=False, help="show the traceback of an error")


language = click.option(
    "--language",
    type=click.Choice(LANGUAGES),
    expose_value=False,  # read before all options, by homeground.cli
    help="language of messages and report; default: that of the locale",
)


def common(command: Command) -> Command:
    """Add --json, --quiet, --language and --debug."""
    return common_but_language(language(command))


def common_but_language(command: Command) -> Command:
    """Add what ``common`` adds to a command whose --language is that of texts."""
    return as_json(quiet(debug(command)))


def recipe_options(command: Command) -> Command:
    """Add every setting of the recipe as a flag, and ``--set section.field=value`` for its full name."""
    for setting in reversed([setting for setting in settings() if setting.name != "data"]):
        command = _option(setting)(command)
    return click.option(
        "assignments", "--set", multiple=True, metavar="SECTION.FIELD=VALUE", help="any setting by its full name"
    )(command)


def sections(*names: str) -> Callable[[Command], Command]:
    """Return a decorator that adds settings of the recipe as flags, named by their section or their own name."""

    def add(command: Command) -> Command:
        for setting in reversed([setting for setting in settings() if {setting.section, setting.name} & set(names)]):
            command = _option(setting)(command)
        return command

    return add


def typed_settings(values: dict[str, Any], assignments: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the settings of the command line, those of --set last."""
    typed = {name: value for name, value in values.items() if value not in (None, ())}
    flags = {".".join(setting.path): setting.name for setting in settings()}
    for assignment in assignments:
        name, equals, value = (part.strip() for part in assignment.partition("="))
        if not equals:
            raise UsageError(f'--set "{assignment}": expected SECTION.FIELD=VALUE, e.g. --set training.epochs=3')
        if {name, flags.get(name)} & set(typed):
            raise UsageError(f'--set "{assignment}": {name} is given more than once; give it one value')
        typed[name] = value
    return typed


def read_titles(titles: str) -> list[str]:
    """Return the texts of ``a,b,c``, or those of a file of that name: its lines, or a column of a table."""
    listed = _titles_in(titles) if Path(titles).is_file() else titles.split(",")
    texts = [text.strip() for text in listed if text.strip()]
    if len(texts) < 2:
        raise UsageError(f'--titles "{titles}": expected at least two texts, as a,b,c or as a file with one per line')
    return texts


def _titles_in(path: str) -> list[str]:
    kind = SUFFIXES.get(Path(path.lower().removesuffix(".gz")).suffix, "txt")
    table = open_rows(path, format=kind)
    columns = find_columns(table, ["text"], {})
    name = columns.get("text") or (table.columns[0] if len(table.columns) == 1 else None)
    if name is None:
        raise DataError.at(
            path, f"which column holds the titles? the columns are {quoted_columns(table)}; name one of them text"
        )
    return [text(table, row, name) for row in table.rows]


class GroupedCommand(click.Command):
    """A command with two levels of help: ``--help`` shows its main options, ``--help-all`` all of them.

    ``main`` are the options of ``--help``, by default those that are not settings of the recipe. The description of a
    setting ends there at the first semicolon. ``--help-all`` shows ``groups``, by default the command's own options,
    then the settings by section of the recipe.
    """

    def __init__(self, *arguments: Any, main: Groups | None = None, groups: Groups | None = None, **options: Any):
        super().__init__(*arguments, **options)
        self._main, self._groups = main, groups
        count = sum(isinstance(parameter, click.Option) for parameter in self.params) + 2
        show_all = click.Option(["--help-all"], is_flag=True, is_eager=True, expose_value=False, callback=_show_all)
        show_all.help = f"show all {count} options"
        self.params.append(show_all)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse arguments, of which an option that takes one value may not be repeated: the last would win unseen."""
        _, _, order = self.make_parser(ctx).parse_args(list(args))
        for parameter, times in Counter(order).items():
            if isinstance(parameter, click.Option) and times > 1 and not (parameter.multiple or parameter.is_flag):
                name = max(parameter.opts, key=len)
                raise click.UsageError(f"{name} is given {times} times and takes one value; give it once", ctx)
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options of the requested level, group by group."""
        every = ctx.meta.get(_SHOW_ALL, False)
        short = {} if every else {_help(setting): _help(setting, short=True) for setting in settings()}
        records: dict[str, tuple[str, str]] = {}
        for parameter in self.get_params(ctx):
            if isinstance(parameter, click.Option) and (record := parameter.get_help_record(ctx)):
                name = max(parameter.opts, key=len).lstrip("-").replace("-", "_")
                records[name] = (record[0], short.get(record[1], record[1]))
        groups = (self._groups if every else self._main) or _by_section(records, with_settings=every)
        shown = {title: [records[name] for name in names] for title, names in groups.items()}
        # The short help is one table; in the long one each group is as narrow as its flags allow.
        width = 0 if every else max(len(flag) for rows in shown.values() for flag, _ in rows)
        for title, rows in shown.items():
            with formatter.section(title):
                formatter.write_dl([(flag.ljust(width), text) for flag, text in rows])


_SHOW_ALL = "homeground.help_all"


def _show_all(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        ctx.meta[_SHOW_ALL] = True
        click.echo(ctx.get_help(), color=ctx.color)
        ctx.exit()


def _by_section(names: Iterable[str], *, with_settings: bool) -> Groups:
    """Return the command's own options, then the settings of the recipe by section."""
    section_of = {setting.name: setting.section for setting in settings()}
    groups: dict[str, list[str]] = {"Options": [name for name in names if name not in section_of]}
    for name in names if with_settings else ():
        if name in section_of:
            section = section_of[name]
            groups.setdefault(f"Recipe, [{section}]" if section else "Recipe", []).append(name)
    return groups


def _option(setting: Setting) -> Callable[[Command], Command]:
    text = _help(setting)
    if setting.field.annotation is bool or bool in get_args(setting.field.annotation):
        names = f"{setting.flag}/--no-{setting.name.replace('_', '-')}"
        return click.option(names, setting.name, default=None, help=text)
    several = ColumnNames in get_args(setting.field.annotation)
    default = () if several else None
    return click.option(
        setting.flag, setting.name, default=default, multiple=several, metavar=_metavar(setting), help=text
    )


def _help(setting: Setting, *, short: bool = False) -> str:
    """Return the description of a setting with its choices and default; a short one ends at the first semicolon."""
    what, semicolon, more = str(setting.field.description).partition(";")
    choices, default = _choices(setting), setting.field.default
    listed = f" ({', '.join(choices)})" if len("|".join(choices)) > LONGEST_METAVAR else ""
    shown = "" if default is None or setting.field.is_required() else f" [{_plain(default)}]"
    return f"{what}{listed}{'' if short else semicolon + more}{shown}"


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ",".join(_plain(part) for part in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _metavar(setting: Setting) -> str:
    leaves = list(_leaves(setting.field.annotation))
    if choices := _choices(setting):
        return joined if len(joined := "|".join(choices)) <= LONGEST_METAVAR else "NAME"
    if tuple in leaves:
        return "LOW,HIGH" if setting.name.endswith(("_range", "_rates")) else "A,B,…"
    if setting.name == "lora":
        return "r=R"
    if {float, str} <= set(leaves):
        return "X|FILE"
    if (setting.section, setting.name) in FILES:
        return "FILE"
    is_column = str(setting.field.description).startswith("column ")
    is_folder = str(setting.field.description).startswith("run folder")
    return {int: "N", float: "X"}.get(leaves[0], "COLUMN" if is_column else "FOLDER" if is_folder else "NAME")


def _choices(setting: Setting) -> list[str]:
    """Return the values a setting is limited to, none where it has no such limit."""
    if setting.name == "task":
        return list(TASKS)
    return [str(leaf) for leaf in _leaves(setting.field.annotation) if isinstance(leaf, str | int)]


def _leaves(annotation: Any) -> Iterator[Any]:
    """Yield the plain types and literal values of an annotation; a tuple is yielded as such, without its parts."""
    if get_origin(annotation) is tuple:
        yield tuple
    elif get_origin(annotation) is Annotated:
        yield from _leaves(get_args(annotation)[0])
    elif get_args(annotation):
        for argument in get_args(annotation):
            yield from _leaves(argument)
    else:
        yield annotation
