"""From a path to text: the file is opened, fingerprinted, unpacked and checked to be text before anyone parses it.

A file is read twice through one descriptor. The first pass looks at every byte (fingerprint, size of what gzip unpacks,
encoding) in pieces of 1 MiB; so a wrong encoding is reported with its exact byte, a compressed bomb fills no memory,
and the parser of the second pass reads valid text only. Nothing is decoded with loss: a wrong guess would be learned.
"""

from __future__ import annotations

import codecs
import contextlib
import difflib
import gzip
import hashlib
import io
import itertools
import os
import re
import stat
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from homeground.data.evidence.containers import (
    BINARY_MAGIC,
    HEAD_BYTES,
    KINDS,
    is_binary,
    refuse_container,
    refuse_markup,
    require_kind,
)
from homeground.data.evidence.encodings import likely_encodings, mojibake, read_as
from homeground.data.evidence.lines import LINES_READ, likely_format
from homeground.errors import DataError, UsageError, nearest
from homeground.wording import printable

BYTES_AT_ONCE = 1 << 20
GZIP_MAGIC = b"\x1f\x8b"
MAX_UNPACKED_BYTES = 16 << 30
"""Size that a compressed file may unpack to."""
MAX_UNPACKING_RATIO = 200
"""How many times its stored size a compressed file may unpack to; text of any language stays below 20."""
RATIO_FREE_BYTES = 64 << 20
"""Unpacked size up to which the ratio does not matter, so that a small and very regular file is read."""
LEAST_SHARE_OF_NULS = 0.1
"""Share of NULs, all in even or all in odd places, from which bytes are UTF-16."""
BYTE_ORDER_MARKS = ((b"\xff\xfe\x00\x00", "utf-32"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


@dataclass(frozen=True)
class OpenText:
    """A file that is proven to be text: the stream at its first character, and the fingerprint of the stored bytes."""

    text: TextIO
    sha256: str
    size: int
    notes: tuple[str, ...] = ()
    """What is odd about the text, a sentence each, the path first."""


@dataclass(frozen=True)
class OpenBinary:
    """A file of a binary format: the stream at its first byte, and the fingerprint of the stored bytes."""

    stream: BinaryIO
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
def open_text(path: str, *, encoding: str, markup: bool = False) -> Generator[OpenText]:
    """Open a plain or gzip file as text; line ends are kept, a byte-order mark is not part of the text.

    A name ending in ``.gz`` must hold gzip data, and gzip data must have such a name. Only with ``markup`` the text may
    be a web page or XML.

    Raises DataError when the file cannot be read to its end, unpacks beyond bounds, is not text in ``encoding``, or
    changes while it is open.
    """
    with _unchanged(path) as stored:
        before = os.fstat(stored.fileno())
        head = stored.peek(HEAD_BYTES)[:HEAD_BYTES]
        _require_right_name(path, head)
        packed = path.lower().endswith(".gz")
        plain = cast(BinaryIO, gzip.GzipFile(fileobj=stored, mode="rb")) if packed else stored
        try:
            sha256 = hashlib.file_digest(stored, "sha256").hexdigest()
            stored.seek(0)
            if packed:
                head = plain.read(HEAD_BYTES)
                plain.seek(0)
            refuse_container(path, head)
            if not markup:
                refuse_markup(path, head)
            notes = _check(path, plain, encoding=encoding, stored_size=before.st_size if packed else None)
        except (OSError, EOFError, zlib.error) as problem:
            raise DataError.at(path, f"cannot be read to its end: {_reason(problem)}; fetch it again") from None
        plain.seek(0)
        text = io.TextIOWrapper(plain, encoding=encoding, newline="")
        if text.read(1) != "\ufeff":
            text.seek(0)
        yield OpenText(text=text, sha256=sha256, size=before.st_size, notes=notes)


@contextmanager
def open_binary(path: str, format_name: str) -> Generator[OpenBinary]:
    """Open a file that is no text, as its format's own parser takes it.

    Raises DataError when it cannot be read to its end, is of another format, or changes while it is open.
    """
    with _unchanged(path) as stored:
        head = stored.peek(HEAD_BYTES)[:HEAD_BYTES]
        if head.startswith(GZIP_MAGIC):
            raise DataError.at(path, f"is compressed by gzip; unpack it: a {KINDS[format_name]} is read as it is")
        require_kind(path, head, format_name)
        if not head.startswith(BINARY_MAGIC):
            name, why = likely_format(first_lines(path, LINES_READ)) or ("csv", "if it is a table")
            raise DataError.at(path, f"holds text and is no {KINDS[format_name]}; {why}: add --format {name}")
        try:
            sha256 = hashlib.file_digest(stored, "sha256").hexdigest()
        except OSError as problem:
            raise DataError.at(path, f"cannot be read to its end: {_reason(problem)}; fetch it again") from None
        stored.seek(0)
        yield OpenBinary(stored, sha256, os.fstat(stored.fileno()).st_size)


@contextmanager
def _unchanged(path: str) -> Generator[io.BufferedReader]:
    """Open a file, and raise DataError at the end if it has changed meanwhile."""
    with _open_bytes(path) as stored:
        before = os.fstat(stored.fileno())
        yield stored
        after = os.fstat(stored.fileno())
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise DataError.at(path, "changed while it was being read; run the command again when it is complete")


def _open_bytes(path: str) -> io.BufferedReader:
    try:
        return Path(path).open("rb")
    except OSError as problem:
        raise DataError.at(path, f"cannot be opened: {_reason(problem)}") from None


def _reason(problem: BaseException) -> str:
    return getattr(problem, "strerror", None) or f"{problem}"


def _require_right_name(path: str, head: bytes) -> None:
    named, is_packed = path.lower().endswith(".gz"), head.startswith(GZIP_MAGIC)
    if named and not is_packed:
        raise DataError.at(path, "is named .gz but holds no gzip data; take .gz off its name if it is plain text")
    if is_packed and not named:
        raise DataError.at(path, "holds gzip data; add .gz to its name, or unpack it")


def refuse_content(path: str) -> None:
    """Raise DataError where the first bytes of a file say that it is no text, whatever its name says."""
    with _open_bytes(path) as stored:
        head = stored.peek(HEAD_BYTES)[:HEAD_BYTES]
    _require_right_name(path, head)
    if path.lower().endswith(".gz"):
        with contextlib.suppress(OSError, EOFError, zlib.error), gzip.open(path) as unpacked:
            head = unpacked.read(HEAD_BYTES)
    refuse_container(path, head)
    refuse_markup(path, head)


def first_lines(path: str, count: int) -> list[str]:
    """Return the first lines of a file as UTF-8, its other bytes replaced, to see what they look like.

    They are of its first piece, of which the last line may be cut; there are none where it cannot be read.
    """
    opened = gzip.open if path.lower().endswith(".gz") else open
    with contextlib.suppress(OSError, EOFError, zlib.error), opened(path, "rb") as file:
        head = file.read(BYTES_AT_ONCE).decode("utf-8-sig", "replace")
        return re.split(r"\r\n|\r|\n", head.rstrip("\r\n"))[:count]
    return []


def _check(path: str, plain: BinaryIO, *, encoding: str, stored_size: int | None) -> tuple[str, ...]:
    """Read ``plain`` to its end, and return what is odd about it, a sentence each.

    With the ``stored_size`` of a packed file its unpacked size is bounded.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    utf8 = None if _is_unicode(encoding) else _Utf8()
    size = lines = nuls = 0
    first_nul, piece = 0, b"-"
    notes: list[str] = []
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
        if first and not _is_wide(encoding) and (guess := _wide_encoding(piece)):
            raise DataError.at(path, f"has a NUL in every second place and may be {guess}: try --encoding {guess}")
        if first:
            notes = _oddities(path, text, encoding)
        if "\0" in text:
            first_nul = first_nul or 1 + lines + text.count("\n", 0, text.index("\0"))
            nuls += text.count("\0")
        if utf8 is not None:
            utf8.read(piece)
        lines += text.count("\n")
    if utf8 is not None and utf8.is_likely:
        raise DataError.at(path, f"is valid utf-8, which --encoding {encoding} reads wrongly; leave out --encoding")
    if nuls:
        characters = f"1 NUL character, on line {first_nul}, which is"
        if nuls > 1:
            characters = f"{nuls} NUL characters, the first on line {first_nul}, which are"
        notes.append(f"{path}: holds {characters} kept as part of the text")
    return tuple(notes)


class _Utf8:
    """Tells of bytes read piece by piece whether they are UTF-8 and not only ASCII."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._valid, self._foreign = True, False

    def read(self, piece: bytes) -> None:
        self._foreign |= not piece.isascii()
        try:
            if self._valid:
                self._decoder.decode(piece, final=not piece)
        except UnicodeDecodeError:
            self._valid = False

    @property
    def is_likely(self) -> bool:
        return self._valid and self._foreign


def _is_unicode(encoding: str) -> bool:
    return codecs.lookup(encoding).name.startswith("utf")


def _is_wide(encoding: str) -> bool:
    return codecs.lookup(encoding).name.startswith(("utf-16", "utf-32"))


def _oddities(path: str, text: str, encoding: str) -> list[str]:
    """Return what is odd about the beginning of a text: it was decoded wrongly before, or it is now."""
    if found := mojibake(text):
        word, meant, count = found
        return [
            f"{path}: its text was read in a wrong encoding when it was made (mojibake): {printable(word)} stands for "
            f"{printable(meant)}, and so do {count} words at its beginning; export it again as utf-8, or mend "
            "it, as the Python package ftfy does"
        ]
    if codecs.lookup(encoding).name == "iso8859-1" and re.search("[\x80-\x9f]", text):
        return [
            f"{path}: holds control characters as latin-1 that are “ ” – € as cp1252; --encoding cp1252 reads these"
        ]
    return []


def _max_unpacked(stored_size: int) -> int:
    return min(MAX_UNPACKED_BYTES, max(RATIO_FREE_BYTES, MAX_UNPACKING_RATIO * stored_size))


def _encoding_error(path: str, problem: UnicodeDecodeError, *, encoding: str, start: int, lines: int) -> DataError:
    """Return the error for bytes that are not ``encoding``; ``problem.object`` begins at byte ``start`` of the text."""
    data, bad = problem.object, problem.start
    line = 1 + lines + data.count(b"\n", 0, bad)
    place = f"is not {encoding} at byte {start + bad}, line {line} (byte 0x{data[bad]:02x})"
    if start == 0 and is_binary(data[:HEAD_BYTES]) and not _wide_encoding(data):
        return DataError.at(path, "holds binary data and no text; export it as CSV or JSON Lines")
    guesses = _guess_encodings(data, bad, is_head=start == 0)
    guesses = [guess for guess in guesses if codecs.lookup(guess[0]) != codecs.lookup(encoding)]
    if not guesses and not data[:bad].isascii():
        return DataError.at(path, f"{place}; the text before it is good, so this place may be damaged: mend it")
    if not guesses:
        near = read_as(data, bad, encoding)
        return DataError.at(
            path,
            f"{place}, in {near}; no usual encoding makes plausible text of it: find out how it was saved, and "
            "name that with --encoding",
        )
    ways = ", or ".join(f"--encoding {name}, which reads {sample}" for name, sample in guesses)
    return DataError.at(path, f"{place}; it may be {' or '.join(name for name, _ in guesses)}: try {ways}")


def _guess_encodings(data: bytes, bad: int, *, is_head: bool) -> list[tuple[str, str]]:
    """Return plausible encodings of ``data``, whose byte ``bad`` was refused, and how each reads that place.

    There are none where the text before that byte is good and only a part of it is not.
    """
    if is_head and (wide := _wide_encoding(data)):
        return [(wide, read_as(data[: len(data) & ~3], 0, wide))]
    # Whole lines, because the piece may begin and end in the middle of a character.
    begin = 0 if is_head else min(data.find(b"\n") + 1, bad)
    sample = data[begin : data.rfind(b"\n", bad) + 1 or None]
    if _decodes(sample, "utf-8"):
        return [("utf-8", read_as(sample, bad - begin, "utf-8"))]
    return likely_encodings(sample, bad - begin) if data[:bad].isascii() or not _decodes(data[:bad], "utf-8") else []


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _wide_encoding(data: bytes) -> str | None:
    """Return the name of UTF-16 or UTF-32, known by its mark or by NULs in every second place, or None."""
    for mark, name in BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return name
    head = data[:HEAD_BYTES]
    even, odd = head[::2].count(0), head[1::2].count(0)
    if len(head) >= 4 and max(even, odd) >= LEAST_SHARE_OF_NULS * len(head) and min(even, odd) == 0:
        return "utf-16-be" if even else "utf-16-le"
    return None


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
