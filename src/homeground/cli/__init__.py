"""What is typed: one short file a command, which parses and prints and never computes.

``homeground --help`` must answer at once, so a command's module is imported only when that command is given.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from typing import Any

import click

from homeground.errors import HomegroundError

COMMANDS = {
    "adapt": "adapt a checkpoint to your data and say whether it helped",
    "evaluate": "what a run or checkpoint scores on a file of examples",
    "compare": "which of two runs or checkpoints is better on a file, with an interval",
    "predict": "labels, similarities or embeddings of texts, from arguments or file to file",
    "report": "write the report of a run again, or a heat map of any checkpoint",
    "publish": "the model of a run as a repository on the Hub, with its card",
    "pairs": "scored pairs from a taxonomy, whole groups held out",
    "demo": "the whole story on built-in data, in a few minutes",
    "doctor": "versions, hardware, memory and where checkpoints are cached",
    "convert": "turn a folder's older pickle weights into safetensors",
}


class Commands(click.Group):
    """The commands, each imported when it is given."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the story."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        if cmd_name not in COMMANDS:
            return None
        return getattr(importlib.import_module(f"homeground.cli.{cmd_name}"), cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="homeground")
def homeground() -> None:
    """Adapt a pretrained language model to your domain and prove whether it helped.

    \b
      homeground demo
      homeground adapt pairs.csv
      homeground predict runs/pairs-similarity "data scientist" "statistician"
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and end the process with the documented exit code."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """Run the command line and return its exit code; errors are one line on stderr, ``--debug`` adds the traceback."""
    try:
        result: Any = homeground.main(arguments, prog_name="homeground", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except HomegroundError as error:
        return _fail(str(error), error.exit_code, arguments)
    except click.ClickException as error:
        return _fail(error.format_message(), 2, arguments)
    except (KeyboardInterrupt, click.Abort):
        return _fail("stopped; nothing finished was lost, and the same command goes on", 130, arguments)
    except BrokenPipeError:
        # The reader of our output went away, as head does; that is no error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        message = f"unexpected {type(error).__name__}: {error}; give the command again with --debug and report it"
        return _fail(message, HomegroundError.exit_code, arguments)


def _fail(message: str, code: int, arguments: list[str]) -> int:
    if "--debug" in arguments:
        traceback.print_exc()
    print(f"homeground: {message}", file=sys.stderr)
    return code
