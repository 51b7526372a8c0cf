"""The command line: one short file a command, which parses and prints and never computes.

``homeground --help`` must answer at once, so the module of a command is imported only when that command is called.
"""

from __future__ import annotations

import errno
import importlib
import io
import itertools
import os
import signal
import sys
import traceback
import warnings
from types import FrameType
from typing import Any, TextIO

import click

from homeground.cli.terminal.hints import unknown_command, usage_message
from homeground.errors import DamageWarning, DiskError, HomegroundError, HomegroundWarning, OutOfMemory, UsageError
from homeground.languages import LANGUAGES, translate, use_language
from homeground.wording import printable, shorten

COMMANDS = {
    "inspect": "look at your data before anything is trained",
    "checkpoints": "list checkpoints by language, task and domain",
    "adapt": "adapt a checkpoint to your data and report whether it helped",
    "evaluate": "evaluate a run or a checkpoint on a file of examples",
    "compare": "compare two runs or checkpoints on a file or their common test",
    "runs": "list the runs below a folder",
    "predict": "predict labels, entities, masked words, similarities",
    "report": "write the report of a run again, or a heat map of texts",
    "export": "export the model of a run for OpenVINO or ONNX Runtime",
    "publish": "publish the model of a run on the Hub, with a model card",
    "pairs": "draw scored pairs from a taxonomy",
    "demo": "adapt to built-in data, in a few minutes",
    "doctor": "show versions, hardware, memory and the checkpoint cache",
    "convert": "convert pickled or TensorFlow weights to safetensors",
}


MAX_CHARACTERS_OF_NAME = 120
"""Characters of the name of a file that an error shows."""

WRITE_AT_THE_END = ("export",)
"""The commands that keep nothing of what they have not finished."""

NAMES_OF_PACKAGES = {"sklearn": "scikit-learn", "tomli_w": "tomli-w"}
"""What is installed under another name than it is imported by."""

FULL_OR_BROKEN = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)
"""What an operating system says of a disk that takes no more."""

NOT_TO_BE_OPENED = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR)
"""What it says of a name that leads nowhere, or that others own."""


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


class Ended(KeyboardInterrupt):
    """A signal other than that of Ctrl-C asked the command to end."""

    def __init__(self, signal_number: int) -> None:
        super().__init__()
        self.signal_number = signal_number


def end_on_signals() -> None:
    """Let SIGTERM and a closed terminal end the command as Ctrl-C does, unless the process was told to ignore them.

    A training has handlers of its own, which save first.
    """

    def end(number: int, frame: FrameType | None) -> None:
        raise Ended(number)

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, end)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and end the process with the documented exit code."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    _prepare_streams()
    end_on_signals()
    code = run(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        _let_go(stream)
    sys.exit(code)


def _prepare_streams() -> None:
    """Let streams that were closed before the start swallow what is written, and none fail at a character.

    What an encoding does not have is written as an escape, such as \\u4e2d.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream: TextIO | None = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - for the whole process
        elif mode == "w" and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _let_go(stream: TextIO) -> None:
    """Flush a stream; where its reader is gone, let Python not fail at it when the process ends."""
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def run(arguments: list[str]) -> int:
    """Run the command line and return its exit code; an error is one line on stderr, after a traceback with --debug."""
    _use_language(arguments)
    try:
        with warnings.catch_warnings():
            # The commands print what Python is warned of, but for damage, of which no command knows.
            warnings.simplefilter("ignore", HomegroundWarning)
            warnings.simplefilter("always", DamageWarning)
            warnings.showwarning = _show_warning
            result: Any = homeground.main(arguments or ["--help"], prog_name="homeground", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except HomegroundError as error:
        return _fail(str(error), error.exit_code, arguments)
    except click.UsageError as error:
        return _fail(usage_message(error, arguments), 2, arguments)
    except click.ClickException as error:
        return _fail(error.format_message(), 2, arguments)
    except (KeyboardInterrupt, click.Abort) as ended:
        cause = ended.__cause__ or ended  # click reports either of the two as Abort
        if isinstance(cause, EOFError):
            return _unexpected(cause, arguments)
        code = 128 + getattr(cause, "signal_number", signal.SIGINT)
        return _fail(_stopped(arguments), code, arguments)
    except BrokenPipeError:
        _let_go(sys.stdout)  # its reader has closed it, as head does; that is not an error
        return 0
    except OSError as error:
        place = shorten(f"{error.filename or 'the output'}", MAX_CHARACTERS_OF_NAME)
        if error.errno in NOT_TO_BE_OPENED:
            message = f"{place} cannot be opened ({os.strerror(error.errno)}); check the name and who may open it"
        elif error.errno in FULL_OR_BROKEN:
            message = f"{place} could not be written ({os.strerror(error.errno)}); free some space, or write elsewhere"
        else:
            return _unexpected(error, arguments)
        return _fail(message, DiskError.exit_code, arguments)
    except ModuleNotFoundError as error:
        return _not_installed(error, arguments)
    except Exception as error:
        return _unexpected(error, arguments)
    finally:
        use_language(None)


def _stopped(arguments: list[str]) -> str:
    """Return what has become of the work of a command that was stopped."""
    if next((word for word in arguments if word in COMMANDS), None) in WRITE_AT_THE_END:
        return "stopped; nothing was written, and the same command starts anew"
    return "stopped; finished work is saved, and the same command continues from there"


def _not_installed(error: ModuleNotFoundError, arguments: list[str]) -> int:
    """Report a library that a command needs and a small installation, which only predicts, was made without."""
    module = (error.name or "").partition(".")[0]
    if module in ("", "homeground"):
        return _unexpected(error, arguments)
    package = NAMES_OF_PACKAGES.get(module, module)
    message = f"{package} is not installed, which this command needs; install it with: pip install {package}"
    return _fail(message, UsageError.exit_code, arguments)


def _show_warning(text: Warning | str, kind: type[Warning], *place: Any) -> None:
    # The screen is imported here because --help must answer at once.
    from homeground.cli.terminal.screen import message

    message(f"homeground: {translate(printable(str(text)))}" if issubclass(kind, DamageWarning) else str(text))


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


def _unexpected(error: Exception, arguments: list[str]) -> int:
    # It imports numpy, which --help does not wait for.
    from homeground.memory import is_memory_error, out_of_memory

    if is_memory_error(error):
        return _fail(str(out_of_memory()), OutOfMemory.exit_code, arguments)
    message = f"unexpected {type(error).__name__}: {error}; run the command again with --debug and report this error"
    return _fail(message, HomegroundError.exit_code, arguments)


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
