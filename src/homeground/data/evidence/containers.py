"""What a file is whose first bytes are not those of text, and what to do with it."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

from homeground.errors import DataError

HEAD_BYTES = 4096
"""Bytes from which it is determined what a file is."""

MOST_CONTROL_BYTES = 0.1
"""Share of control characters from which bytes are not those of text."""

MAX_NAMES_LISTED = 5

OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")

BINARY: tuple[tuple[bytes, str, str], ...] = (
    (b"PAR1", "a Parquet file", "parquet"),
    (b"PARE", "an encrypted Parquet file", "decrypt"),
    (b"ARROW1", "an Arrow file", "arrow"),
    (b"FEA1", "a Feather file of version 1", "feather"),
    (b"\xff\xff\xff\xff", "an Arrow stream, as the datasets library keeps its own", "arrow"),
    (b"ORC", "an ORC file", "orc"),
    (OLE_MAGIC, "an old Excel or Word file (.xls, .doc)", "sheet"),
    (b"BZh", "compressed by bzip2", "unpack"),
    (b"\xfd7zXZ\0", "compressed by xz", "unpack"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd", "unpack"),
    (b"\x04\x22\x4d\x18", "compressed by lz4", "unpack"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack"),
    (b"Rar!\x1a\x07", "a RAR archive", "unpack"),
    (b"%PDF-", "a PDF", "text"),
    (b"{\\rtf", "a document in rich text format", "text"),
    (b"SQLite format 3\0", "an SQLite database", "export"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", "export"),
    (b"Obj\x01", "an Avro file", "export"),
    (b"\x93NUMPY", "a NumPy array", "export"),
    (b"\x89PNG", "a picture", "other"),
    (b"\xff\xd8\xff", "a picture", "other"),
    (b"GIF8", "a picture", "other"),
    (b"$FL2", "an SPSS file", "export"),
    (b"<stata_dta>", "a Stata file", "export"),
    (b"version https://git-lfs.github.com/spec/", "a pointer of Git LFS, not the file itself", "lfs"),
    (b"/annex/objects/", "a pointer of git-annex, not the file itself", "annex"),
)
"""First bytes, what they say the file is, and what to do with it."""

WHAT_TO_DO = {
    "parquet": "add --format parquet",
    "arrow": "add --format arrow",
    "decrypt": "write it again without encryption",
    "workbook": "add --format xlsx",
    "password": "take the password off (in Excel: File, Info, Protect Workbook), and save it",
    "feather": 'convert it: pandas.read_feather({name}).to_json({new}, orient="records", lines=True)',
    "orc": 'convert it: pandas.read_orc({name}).to_json({new}, orient="records", lines=True)',
    "sheet": "save it as .xlsx, or the sheet as CSV (UTF-8), and give that file",
    "unpack": "unpack it and give the file inside",
    "text": "save its text as plain text, or as a table with a text a row",
    "export": "export it as CSV or JSON Lines",
    "other": "give a file of texts",
    "lfs": "fetch the file with: git lfs pull",
    "annex": "fetch the file with: git annex get",
}

KINDS = {"parquet": "Parquet file", "arrow": "Arrow file", "xlsx": "Excel workbook (.xlsx)"}
"""The binary formats that are read, in words."""

ARROW_MAGIC = (b"ARROW1", b"\xff\xff\xff\xff")
BINARY_MAGIC = (b"PAR1", *ARROW_MAGIC, *ZIP_MAGIC)
"""The first bytes of files of these formats."""

MARKUP = re.compile(rb"\s*(<!doctype html|<html|<head|<body|<table|<\?xml)", re.IGNORECASE)
_PICKLE = re.compile(rb"\x80[\x02-\x05][\x95}\]c(]")
_CONTROL = bytes(range(9)) + bytes(range(14, 27)) + bytes(range(28, 32))


def refuse_container(path: str, head: bytes) -> None:
    """Raise DataError where the first bytes of a file are those of a container or a binary format."""
    if head.startswith(OLE_MAGIC) and _is_encrypted(path, head):
        raise _refusal(path, "is an Excel or Word file that is protected by a password", "password")
    for magic, kind, to_do in BINARY:
        if head.startswith(magic):
            raise _refusal(path, f"is {kind}", to_do)
    if head.startswith(ZIP_MAGIC):
        raise _archive(path, head)
    if head[257:262] == b"ustar":
        raise _refusal(path, "is a tar archive", "unpack")
    if _PICKLE.match(head):
        raise _refusal(path, "is a Python pickle, which can run code when it is opened", "export")


def require_kind(path: str, head: bytes, format_name: str) -> None:
    """Raise DataError unless the first bytes of a file are those of a binary format; it says what they are instead.

    For text it is not said, which only its lines can tell.
    """
    if (format_name == "parquet" and head.startswith(b"PAR1")) or (
        format_name == "arrow" and head.startswith(ARROW_MAGIC)
    ):
        return
    if format_name == "xlsx" and head.startswith(ZIP_MAGIC):
        names = _names_in(path)
        if _is_workbook(names):
            return
        if not names:
            raise DataError.at(path, "is a damaged or unfinished Excel workbook; fetch or save it again")
    if not head:
        raise DataError.at(path, "is empty")
    refuse_container(path, head)
    refuse_markup(path, head)
    if is_binary(head):
        raise DataError.at(path, f"holds binary data of no known kind and is no {KINDS[format_name]}")


def _is_encrypted(path: str, head: bytes) -> bool:
    """Return whether a compound file is an Office document that is encrypted: its folder of entries says so."""
    sector, power = int.from_bytes(head[48:52], "little"), int.from_bytes(head[30:32], "little")
    with Path(path).open("rb") as file:
        file.seek((sector + 1) << min(power, 12))
        return "EncryptedPackage".encode("utf-16-le") in file.read(HEAD_BYTES)


def _is_workbook(names: Sequence[str]) -> bool:
    return "xl/workbook.xml" in names or any(name.startswith("xl/worksheets/") for name in names)


def refuse_markup(path: str, head: bytes) -> None:
    """Raise DataError where the first bytes of a file are those of a web page or of XML."""
    found = MARKUP.match(head.removeprefix(b"\xef\xbb\xbf"))
    if found is None:
        return
    if found[1].lower() == b"<?xml":
        raise DataError.at(path, "is XML; export it as CSV or JSON Lines")
    title = re.search(rb"<title[^>]*>([^<]*)", head, re.IGNORECASE)
    shown = " ".join(title[1].decode("utf-8", "replace").split())[:60] if title else ""
    named = f', "{shown}"' if shown else ""
    raise DataError.at(
        path,
        f"is a web page{named}, not the data; download the file itself (raw, and signed in if its site asks for it)",
    )


def is_binary(head: bytes) -> bool:
    """Return whether bytes hold so many control characters that they are text in no usual encoding."""
    return bool(head) and len(head) - len(head.translate(None, _CONTROL)) > MOST_CONTROL_BYTES * len(head)


def _archive(path: str, head: bytes) -> DataError:
    """Return the error for a zip archive, by what is in it: a spreadsheet, a document, arrays or files."""
    names = _names_in(path)
    inside = "\n".join(names) or head.decode("latin-1")
    if "[Content_Types].xml" in inside or "xl/" in inside:
        is_document = "word/" in inside and "xl/" not in inside
        kind, to_do = ("a Word document (.docx)", "text") if is_document else ("an Excel workbook (.xlsx)", "workbook")
        return _refusal(path, f"is {kind}", to_do)
    if "opendocument" in head.decode("latin-1"):
        kind, to_do = ("a spreadsheet (.ods)", "sheet") if b"spreadsheet" in head else ("a document (.odt)", "text")
        return _refusal(path, f"is {kind}", to_do)
    if names and all(name.endswith(".npy") for name in names):
        return _refusal(path, "holds NumPy arrays (.npz)", "export")
    listed = ", ".join(f'"{name}"' for name in names[:MAX_NAMES_LISTED]) + (", …" * (len(names) > MAX_NAMES_LISTED))
    return _refusal(path, f"is a zip archive{f' of {listed}' if names else ''}", "unpack")


def _names_in(path: str) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return [name for name in archive.namelist() if not name.endswith("/") and "__MACOSX" not in name]
    except (OSError, zipfile.BadZipFile, NotImplementedError):
        return []


def _refusal(path: str, kind: str, to_do: str) -> DataError:
    name = Path(path).name
    named = {"name": f'"{name}"', "new": '"{}.jsonl"'.format(name.split(".")[0])}
    return DataError.at(path, f"{kind}; {WHAT_TO_DO[to_do].format(**named)}")
