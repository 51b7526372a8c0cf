"""What was meant by a command or an option that does not exist, and how a command is used."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

import click

USUAL_COMMANDS = {
    "adapt": "train finetune fine-tune fit tune run learn training pretrain",
    "evaluate": "eval test score measure validate",
    "predict": "infer inference classify label embed encode transform similarity fill fill-mask generate",
    "compare": "diff benchmark versus",
    "runs": "list ls history show status results",
    "publish": "push upload deploy share",
    "doctor": "info check env diagnose",
    "pairs": "taxonomy draw sample",
    "demo": "example tutorial quickstart start",
    "report": "html plot",
}
"""What other tools call our commands."""


def unknown_command(name: str, known: Iterable[str]) -> str:
    """Return the error message for a command that does not exist."""
    if name.lower() in ("help", "version"):
        return f'no command "{name}"; did you mean homeground --{name.lower()}?'
    names = list(known)
    usual = (ours for ours, others in USUAL_COMMANDS.items() if ours in names and name.lower() in others.split())
    close = next(usual, None) or next(iter(difflib.get_close_matches(name.lower(), names, n=1)), None)
    if close is not None:
        return f'no command "{name}"; did you mean homeground {close}?'
    return f'no command "{name}"; known: {", ".join(names)}'


def usage_message(error: click.UsageError, arguments: Sequence[str]) -> str:
    """Return an error of the command line in one line: what we got, and what would be right."""
    ctx = error.ctx
    if ctx is None:
        return error.format_message()
    if isinstance(error, click.NoSuchOption):
        return _unknown_option(error, ctx, arguments)
    if isinstance(error, click.MissingParameter) and error.param is not None:
        return f"{error.param.make_metavar(ctx)} is missing; {_usage(ctx)}"
    if "unexpected extra argument" in error.message:
        more = error.message[error.message.find("(") + 1 : -1]
        return f'unexpected argument "{more}"; {_usage(ctx)}'
    return error.format_message()


def _usage(ctx: click.Context) -> str:
    return " ".join(ctx.get_usage().split()).replace("Usage:", "usage:")


def _unknown_option(error: click.NoSuchOption, ctx: click.Context, arguments: Sequence[str]) -> str:
    # Recipes are slow to import, and --help must answer at once.
    from homeground.recipe.usual_names import meant

    # Of -lr, click reports -l.
    typed = next((each for each in arguments if each.startswith(error.option_name)), error.option_name)
    typed = typed.partition("=")[0]
    flags = {
        flag.lstrip("-").replace("-", "_"): flag
        for parameter in ctx.command.get_params(ctx)
        for flag in (*parameter.opts, *parameter.secondary_opts)
        if flag.startswith("--")
    }
    ours = meant(typed, list(flags))
    if ours is None:
        plain = typed.strip("-").replace("-", "_").lower()
        ours = next(iter(difflib.get_close_matches(plain, flags, n=1)), None)
    more = "--help-all" if "help_all" in flags else "--help"
    if ours:
        return f"no option {typed}; did you mean {flags[ours]}? {ctx.command_path} {more} lists all"
    return f"no option {typed}; {ctx.command_path} {more} lists all"
