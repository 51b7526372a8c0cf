"""Every exception that Homeground raises on purpose, with the exit code of the command.

    HomegroundError                70  an unexpected error
    ├── UsageError                  2  an option or setting that is not possible
    ├── DataError                   2  a file, row or column that cannot be read
    │   ├── AmbiguousColumns        2  columns that may be read in more than one way
    │   ├── BrokenAnnotations       2  tags or spans that cannot be read
    │   └── ColumnsMissing          2  columns without which a task is not possible
    ├── DamagedFile                 2  a file of a run that is not as it was written
    ├── ExportRefused               1  an exported model that is not shown to be as good as the model itself
    ├── CheckpointError             2  a checkpoint that cannot be found, opened or trusted
    ├── RunConflict                 2  a run folder that belongs to another recipe, data or checkpoint
    ├── TrainingFailed             70  a loss or gradient that is not finite
    ├── RunLocked                   3  another process is writing this run
    ├── HubError                    4  the network or the Hub refused
    ├── OutOfMemory                71  not even one example fits into memory
    ├── ProcessLost                75  one of several processes has ended
    ├── DiskError                  74  no space, no permission, a write that failed
    └── Stopped           129/130/143  a signal; everything up to the last step is saved

``HomegroundWarning`` is what a user should know, though it is no error; ``DamageWarning`` is one that no record holds.

A message says what we got and where, what would be right, and what to do, in one line without a traceback. The
messages are part of the product: tests read them.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Self

_translations: list[Callable[[str], str]] = []


def show_with(translate: Callable[[str], str]) -> None:
    """Let errors and warnings be shown in the language of people; the messages themselves are English."""
    _translations[:] = [translate]


class _Shown(Exception):
    """An error or a warning whose text is shown in the language in use, and is English inside other messages."""

    def __str__(self) -> str:
        text = super().__str__()
        return _translations[0](text) if _translations else text

    def __format__(self, format_spec: str) -> str:
        return format(super().__str__(), format_spec)


class HomegroundError(_Shown):
    """The base class of every exception that Homeground raises on purpose."""

    exit_code = 70


class HomegroundWarning(_Shown, UserWarning):
    """What a user should know of the data or the results, though it is no error."""


class DamageWarning(HomegroundWarning):
    """A damaged file that is passed over or made again."""


class UsageError(HomegroundError):
    """An option, setting or combination of settings that is not possible."""

    exit_code = 2


class DataError(HomegroundError):
    """A file, row or column that cannot be read."""

    exit_code = 2

    @classmethod
    def at(cls, path: str | Path, problem: str, *, row: int | None = None, column: str | None = None) -> Self:
        """Return the error for one place: ``pairs.csv, row 17: column "similarity" holds "high"; …``.

        ``row`` counts the rows of data from 1, the header not counted; ``column`` is the name in the file.
        """
        place = str(path) if row is None else f"{path}, row {row}"
        if column is not None:
            problem = f'column "{column}" {problem}'
        return cls(f"{place}: {problem}")


class AmbiguousColumns(DataError):
    """Columns that may be read in more than one way, so that no other task is tried: the user chooses."""


class BrokenAnnotations(DataError):
    """Tags or spans that cannot be read; the table holds nothing else that the user may mean, so no task is tried."""


class ColumnsMissing(DataError):
    """Columns without which a task is not possible; ``hint`` is what the table has instead, for who asks every task."""

    hint = ""

    def with_hint(self, hint: str) -> ColumnsMissing:
        """Return the error with its hint."""
        self.hint = hint
        return self


class DamagedFile(HomegroundError):
    """A file of a run that is missing, or not as it was written."""

    exit_code = 2

    def __init__(self, path: str | Path, remedy: str, *, missing: bool = False) -> None:
        problem = f"{path} is missing" if missing else f"{path} is damaged: it is not as it was written"
        super().__init__(f"{problem}; {remedy}")


class CheckpointError(HomegroundError):
    """A checkpoint that cannot be found, opened or trusted."""

    exit_code = 2


class ExportRefused(HomegroundError):
    """An exported model that is not shown to be as good as the model that it was made from; nothing is left of it."""

    exit_code = 1


class RunConflict(HomegroundError):
    """A run folder that holds the run of another recipe, data set or checkpoint."""

    exit_code = 2


class TrainingFailed(HomegroundError):
    """A loss or gradient that is not finite; the weights on disk are those of the last snapshot.

    ``items`` are those of the batch at which it happened, as numbers in what is learned from.
    """

    exit_code = 70

    def __init__(self, message: str, items: Sequence[int] = ()) -> None:
        super().__init__(message)
        self.items = tuple(items)


class RunLocked(HomegroundError):
    """Another process is writing this run."""

    exit_code = 3


class HubError(HomegroundError):
    """The network or the Hub refused a request."""

    exit_code = 4


class OutOfMemory(HomegroundError):
    """Not even one example fits into memory."""

    exit_code = 71


class ProcessLost(HomegroundError):
    """One of several processes that work together has ended, or cannot be reached."""

    exit_code = 75


class DiskError(HomegroundError):
    """No space, no permission, or a write that failed."""

    exit_code = 74


class Stopped(HomegroundError):
    """A signal stopped the run after its state was saved; the same command continues from there."""

    def __init__(self, message: str, *, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


def nearest(got: str, known: Iterable[str]) -> str:
    """Return the known names as text, the ones most like ``got`` first, for the end of an error message.

    >>> nearest("similarty", ["text_1", "text_2", "similarity"])
    'did you mean "similarity"? Known: "similarity", "text_1", "text_2"'
    >>> nearest("x", ["text_1", "text_2"])
    'known: "text_1", "text_2"'
    """
    names = list(known)
    by_lower_case = {name.lower(): name for name in reversed(names)}
    close = [by_lower_case[name] for name in difflib.get_close_matches(got.lower(), by_lower_case, n=3)]
    ordered = close + [name for name in names if name not in close]
    listed = ", ".join(f'"{name}"' for name in ordered[:12]) + (", …" if len(ordered) > 12 else "")
    if close:
        return f'did you mean "{close[0]}"? Known: {listed}'
    return f"known: {listed}"
