"""The command line: one short file a command, which parses and prints and never computes.

``homeground --help`` must answer at once, so the module of a command is imported only when that command is called.
"""

from __future__ import annotations

import importlib
import itertools
import os
import sys
import traceback
import warnings
from typing import Any

import click

from homeground.cli.terminal.hints import unknown_command, usage_message
from homeground.errors import HomegroundError, HomegroundWarning, UsageError
from homeground.languages import LANGUAGES, translate, use_language
from homeground.wording import printable

COMMANDS = {
    "inspect": "look at your data before anything is trained",
    "checkpoints": "list checkpoints by language, task and domain",
    "adapt": "adapt a checkpoint to your data and report whether it helped",
    "evaluate": "evaluate a run or a checkpoint on a file of examples",
    "compare": "compare two runs or checkpoints on a file or their common test",
    "runs": "list the runs below a folder",
    "predict": "predict labels, entities, masked words, similarities",
    "report": "write the report of a run again, or a heat map of texts",
    "publish": "publish the model of a run on the Hub, with a model card",
    "pairs": "draw scored pairs from a taxonomy",
    "demo": "adapt to built-in data, in a few minutes",
    "doctor": "show versions, hardware, memory and the checkpoint cache",
    "convert": "convert pickled or TensorFlow weights to safetensors",
}


class Commands(click.Group):
    """The commands, each imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which a user needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f"homeground.cli.{cmd_name}"), cmd_name)
        _with_help(command.get_help_option(ctx))
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that was typed, or raise with the one that was meant."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise UsageError(unknown_command(args[0], COMMANDS))
        return super().resolve_command(ctx, args)

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """Return the --help of the group."""
        return _with_help(super().get_help_option(ctx))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _with_help(option: click.Option | None) -> click.Option | None:
    """Return a --help option with its own help in the style of the other options."""
    if option is not None:
        option.help = "show this help"
    return option


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="homeground", help="show the version")
@click.option("--language", type=click.Choice(LANGUAGES), expose_value=False, help="language of messages and reports")
def homeground() -> None:
    """Adapt a pretrained language model to your domain and prove whether it helped.

    \b
      homeground demo
      homeground adapt pairs.csv
      homeground predict runs/pairs-similarity "data scientist" "statistician"

    homeground COMMAND --help explains one command.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and end the process with the documented exit code."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """Run the command line and return its exit code; an error is one line on stderr, after a traceback with --debug."""
    _use_language(arguments)
    try:
        with warnings.catch_warnings():
            # The commands print what Python is warned of.
            warnings.simplefilter("ignore", HomegroundWarning)
            result: Any = homeground.main(arguments or ["--help"], prog_name="homeground", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except HomegroundError as error:
        return _fail(str(error), error.exit_code, arguments)
    except click.UsageError as error:
        return _fail(usage_message(error, arguments), 2, arguments)
    except click.ClickException as error:
        return _fail(error.format_message(), 2, arguments)
    except (KeyboardInterrupt, click.Abort):
        return _fail("stopped; finished work is saved, and the same command continues from there", 130, arguments)
    except BrokenPipeError:
        # The reader of the output has closed it, as head does; that is not an error.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        message = (
            f"unexpected {type(error).__name__}: {error}; run the command again with --debug and report this error"
        )
        return _fail(message, HomegroundError.exit_code, arguments)
    finally:
        use_language(None)


def _use_language(arguments: list[str]) -> None:
    """Speak the language that is asked for from the first word on, so that wrong options are named in it too.

    ``homeground checkpoints`` has an option of this name for what it lists; there it must come before the command.
    """
    command = next((word for word in arguments if word in COMMANDS), None)
    read = arguments[: arguments.index(command)] if command == "checkpoints" else arguments
    for word, following in itertools.pairwise([*read, ""]):
        flag, _, value = word.partition("=")
        if flag == "--language" and (value or following) in LANGUAGES:
            use_language(value or following)


def _fail(text: str, code: int, arguments: list[str]) -> int:
    if "--debug" in arguments:
        traceback.print_exc()
    # The layout is imported here because --help must answer at once.
    from homeground.cli.terminal.screen import message
    from homeground.reports.layout import laid_out, width_of

    # Whoever reads errors from a pipe finds each on one line, whatever COLUMNS says.
    width = width_of(sys.stderr) if sys.stderr.isatty() else None
    message("\n".join(laid_out([f"homeground: {translate(printable(text))}"], width)))
    return code
