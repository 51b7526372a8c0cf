"""From a path to text: the file is opened, fingerprinted, unpacked and checked to be text before anyone parses it.

A file is read twice through one descriptor. The first pass looks at every byte (fingerprint, size of what gzip unpacks,
encoding) in pieces of 1 MiB; so a wrong encoding is reported with its exact byte, a compressed bomb fills no memory,
and the parser of the second pass reads valid text only. Nothing is decoded with loss: a wrong guess would be learned.
"""

from __future__ import annotations

import codecs
import difflib
import gzip
import hashlib
import io
import itertools
import os
import stat
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from homeground.errors import DataError, UsageError, nearest

BYTES_AT_ONCE = 1 << 20
GZIP_MAGIC = b"\x1f\x8b"
MAX_UNPACKED_BYTES = 16 << 30
"""Size that a compressed file may unpack to."""
MAX_UNPACKING_RATIO = 200
"""How many times its stored size a compressed file may unpack to; text of any language stays below 20."""
RATIO_FREE_BYTES = 64 << 20
"""Unpacked size up to which the ratio does not matter, so that a small and very regular file is read."""
BYTE_ORDER_MARKS = ((b"\xff\xfe\x00\x00", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


@dataclass(frozen=True)
class OpenText:
    """A file that is proven to be text: the stream at its first character, and the fingerprint of the stored bytes."""

    text: TextIO
    sha256: str
    size: int


def require_file(path: str) -> None:
    """Raise DataError unless ``path`` is an ordinary file, naming the files it might have meant."""
    try:
        mode = Path(path).stat().st_mode
    except FileNotFoundError:
        raise DataError.at(path, f"no such file; {_neighbours(path)}") from None
    except (OSError, ValueError) as problem:
        raise DataError.at(path, f"cannot be opened: {_reason(problem)}") from None
    if stat.S_ISDIR(mode):
        inside = ", ".join(f'"{name}"' for name in _file_names(Path(path), at_most=8))
        raise DataError.at(path, f"is a folder; give one file{f' of it: {inside}' if inside else ''}")
    if not stat.S_ISREG(mode):
        raise DataError.at(path, "is a pipe or a device, which cannot be read twice; save the data to a file first")


def require_encoding(encoding: str) -> None:
    """Raise UsageError unless Python knows ``encoding`` as an encoding of text."""
    try:
        io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    except (LookupError, ValueError):
        raise UsageError(
            f'--encoding "{encoding}": no such text encoding; usual ones are utf-8, utf-16, gb18030, latin-1'
        ) from None


@contextmanager
def open_text(path: str, *, encoding: str) -> Generator[OpenText]:
    """Open a plain or gzip file as text; line ends are kept, a byte-order mark is not part of the text.

    A name ending in ``.gz`` must hold gzip data, and gzip data must have such a name.

    Raises DataError when the file cannot be read to its end, unpacks beyond bounds, is not text in ``encoding``, or
    changes while it is open.
    """
    with _open_bytes(path) as stored:
        before = os.fstat(stored.fileno())
        _require_right_name(path, stored.peek(len(GZIP_MAGIC)))
        packed = path.lower().endswith(".gz")
        plain = cast(BinaryIO, gzip.GzipFile(fileobj=stored, mode="rb")) if packed else stored
        try:
            sha256 = hashlib.file_digest(stored, "sha256").hexdigest()
            stored.seek(0)
            _check(path, plain, encoding=encoding, stored_size=before.st_size if packed else None)
        except (OSError, EOFError, zlib.error) as problem:
            raise DataError.at(path, f"cannot be read to its end: {_reason(problem)}; fetch it again") from None
        plain.seek(0)
        text = io.TextIOWrapper(plain, encoding=encoding, newline="")
        if text.read(1) != "\ufeff":
            text.seek(0)
        yield OpenText(text=text, sha256=sha256, size=before.st_size)
        after = os.fstat(stored.fileno())
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise DataError.at(path, "changed while it was being read; run the command again when it is complete")


def _open_bytes(path: str) -> io.BufferedReader:
    try:
        return Path(path).open("rb")
    except OSError as problem:
        raise DataError.at(path, f"cannot be opened: {_reason(problem)}") from None


def _reason(problem: BaseException) -> str:
    return getattr(problem, "strerror", None) or str(problem)


def _require_right_name(path: str, head: bytes) -> None:
    named, is_packed = path.lower().endswith(".gz"), head.startswith(GZIP_MAGIC)
    if named and not is_packed:
        raise DataError.at(path, "is named .gz but holds no gzip data; take .gz off its name if it is plain text")
    if is_packed and not named:
        raise DataError.at(path, "holds gzip data; add .gz to its name, or unpack it")


def _check(path: str, plain: BinaryIO, *, encoding: str, stored_size: int | None) -> None:
    """Read ``plain`` to its end; with the ``stored_size`` of a packed file its unpacked size is bounded."""
    decoder = codecs.getincrementaldecoder(encoding)()
    size = lines = 0
    piece = b"-"
    while piece:
        piece = plain.read(BYTES_AT_ONCE)
        first = size == 0
        size += len(piece)
        if stored_size is not None and size > _max_unpacked(stored_size):
            raise DataError.at(path, f"unpacks to more than {size >> 20} MiB from {stored_size} bytes; unpack it first")
        try:
            text = decoder.decode(piece, final=not piece)
        except UnicodeDecodeError as problem:
            # The decoder may have held back a few bytes of the piece before: they are part of problem.object.
            start = size - len(problem.object)
            raise _encoding_error(path, problem, encoding=encoding, start=start, lines=lines) from None
        except UnicodeError as problem:
            raise DataError.at(path, f"is not {encoding}: {problem}; try --encoding utf-16-le or utf-16-be") from None
        if first and (guess := _without_mark(text)):
            raise DataError.at(path, f"has a NUL in every second place and may be {guess}: try --encoding {guess}")
        lines += piece.count(b"\n")


def _max_unpacked(stored_size: int) -> int:
    return min(MAX_UNPACKED_BYTES, max(RATIO_FREE_BYTES, MAX_UNPACKING_RATIO * stored_size))


def _encoding_error(path: str, problem: UnicodeDecodeError, *, encoding: str, start: int, lines: int) -> DataError:
    """Return the error for bytes that are not ``encoding``; ``problem.object`` begins at byte ``start`` of the text."""
    line = 1 + lines + problem.object.count(b"\n", 0, problem.start)
    byte = problem.object[problem.start]
    place = f"is not {encoding} at byte {start + problem.start}, line {line} (byte 0x{byte:02x})"
    guess = _guess_encoding(problem.object, problem.start, is_head=start == 0)
    if guess is None or codecs.lookup(guess) == codecs.lookup(encoding):
        return DataError.at(path, f"{place}; the text before it is good, so this place may be damaged: mend it")
    return DataError.at(path, f"{place}; it may be {guess}: try --encoding {guess}")


def _guess_encoding(data: bytes, bad: int, *, is_head: bool) -> str | None:
    """Return a plausible encoding of ``data``, whose byte ``bad`` was refused, or None when only that byte is wrong."""
    for mark, name in BYTE_ORDER_MARKS:
        if is_head and data.startswith(mark):
            return name
    # Whole lines, because the piece may begin and end in the middle of a character.
    begin = 0 if is_head else min(data.find(b"\n") + 1, bad)
    sample = data[begin : data.rfind(b"\n", bad) + 1 or None]
    if _decodes(sample, "utf-8"):
        return "utf-8"
    if _decodes(sample, "gb18030"):
        # Many a Latin-1 text is formally GB18030, but then of rare characters; Chinese is mostly of the GB 2312 set.
        foreign = [character for character in sample.decode("gb18030") if not character.isascii()]
        common = sum(_decodes(character.encode("gb18030"), "gb2312") for character in foreign)
        if common >= 0.9 * len(foreign):
            return "gb18030"
    if not data[:bad].isascii():
        return None
    windows = any(0x80 <= byte <= 0x9F for byte in sample) and _decodes(sample, "cp1252")
    return "cp1252" if windows else "latin-1"


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _without_mark(text: str) -> str | None:
    """Return the name of UTF-16 without a byte-order mark, which ASCII text in it shows by its pattern of NULs."""
    if len(text) < 4:
        return None
    pattern = "".join("0" if character == "\0" else "x" for character in text[:4])
    return {"x0x0": "utf-16-le", "0x0x": "utf-16-be"}.get(pattern)


def _neighbours(path: str) -> str:
    folder, name = Path(path).parent, Path(path).name
    if not folder.is_dir():
        return f'the folder "{folder}" does not exist'
    names = _file_names(folder, at_most=1000)
    if not names:
        return f'the folder "{folder}" has no files that can be listed'
    return nearest(name, difflib.get_close_matches(name, names, n=5, cutoff=0.0))


def _file_names(folder: Path, *, at_most: int) -> list[str]:
    if not os.access(folder, os.R_OK):
        return []
    with os.scandir(folder) as entries:
        files = (entry.name for entry in entries if entry.is_file() and not entry.name.startswith("."))
        return sorted(itertools.islice(files, at_most))
