"""``-`` in place of a data file: standard input, read once into a file, because a run reads its data more than once."""

from __future__ import annotations

import contextlib
import hashlib
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

from homeground.data.opening import GZIP_MAGIC
from homeground.data.tables import FORMATS
from homeground.errors import DataError, UsageError
from homeground.recipe.recipe import settings
from homeground.storage import write_bytes, written_to

STANDARD_INPUT = "-"


@contextlib.contextmanager
def data_file(data: str, typed: dict[str, Any], *, keep_in: Path | None = None) -> Generator[str]:
    """Yield the path of the data: ``data`` itself, or that of a file with standard input where it is ``-``.

    The file is kept in ``keep_in``, so that a run can be gone on with and its rows looked up; without it, it is removed
    at the end. ``typed`` are the settings of the command line, whose ``format`` becomes the suffix of the file.

    Raises:
        UsageError: nothing says how standard input is written, or nothing is piped into it.
        DataError: it is empty.
    """
    for setting in settings():
        if typed.get(setting.name) == STANDARD_INPUT and setting.name != "delimiter":
            raise UsageError(f"{setting.flag} -: only DATA may be standard input; name a file")
    if data != STANDARD_INPUT:
        yield data
        return
    format_name = typed.pop("format", None)
    if format_name is None:
        formats = ", ".join(FORMATS)
        raise UsageError(f"-: standard input has no name to tell its format by; add --format ({formats})")
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError("-: standard input is a terminal; pipe the data into the command, or name a file")
    content = sys.stdin.buffer.read()
    if not content:
        raise DataError("-: standard input is empty")
    name = f"stdin-{hashlib.sha256(content).hexdigest()[:8]}.{format_name}"
    name += ".gz" if content.startswith(GZIP_MAGIC) else ""
    if keep_in is not None:
        with written_to(keep_in):
            keep_in.mkdir(parents=True, exist_ok=True)
        write_bytes(keep_in / name, content)
        yield str(keep_in / name)
        return
    with tempfile.TemporaryDirectory() as folder:
        write_bytes(Path(folder) / name, content)
        yield str(Path(folder) / name)
