"""Files that are written whole or not at all: temporary names, manifests, locks, and the errors of a full disk.

A file or folder is written under a temporary name, synced, then renamed.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import shutil
import socket
from collections.abc import Collection, Generator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from homeground.errors import DiskError, RunLocked

MANIFEST_VERSION = 1
_SYNCS_FOLDERS = os.name != "nt"


@contextlib.contextmanager
def locked(folder: Path) -> Generator[None]:
    """Hold the lock beside a run folder; a file beside it names the process that has it."""
    path = folder.with_name(f".{folder.name}.lock")
    holder = path.with_suffix(".holder.json")
    lock = FileLock(path)
    with written_to(path):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            owner = read_json(holder) if holder.is_file() else {}
            name = (
                f"process {owner['process']} on {owner['host']} since {owner['since']}" if owner else "another process"
            )
            message = f"{folder} is being written by {name}; wait for it, or name another folder with --out"
            raise RunLocked(message) from None
    try:
        write_json(holder, {"process": os.getpid(), "host": socket.gethostname(), "since": now()})
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def aside(folder: Path) -> Path:
    """Return the first free name of the form ``pairs.old-1``."""
    number = 1
    while (path := folder.with_name(f"{folder.name}.old-{number}")).exists():
        number += 1
    return path


def now() -> str:
    """Return the present moment as an ISO 8601 string in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON file atomically; NaN is refused because it is not valid JSON."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False) + "\n")


def write_json_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write a JSON Lines file atomically."""
    write_text(path, "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows))


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write a NumPy array atomically, without pickle."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    write_bytes(path, buffer.getvalue())


def read_array(path: Path) -> NDArray[Any]:
    """Return the array in an .npy file; one that would need pickle is refused."""
    return np.load(path, allow_pickle=False)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file under a temporary name, sync it, and rename it into place."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with written_to(path):
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            sync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def new_folder(path: Path) -> Generator[Path]:
    """Yield a temporary folder to fill; at the end it gets a manifest and is renamed to ``path``.

    An older folder at ``path`` is replaced only once the new one is complete.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with written_to(path):
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        try:
            yield temporary
            write_manifest(temporary)
            if path.exists():
                old = path.with_name(f".{path.name}.{os.getpid()}.old")
                path.rename(old)
                temporary.rename(path)
                shutil.rmtree(old)
            else:
                temporary.rename(path)
            sync_folder(path.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def write_manifest(folder: Path) -> None:
    """Write manifest.json: the sha256 and size of every file in the folder, each synced first."""
    files: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "manifest.json":
            sync_file(path)
            files[path.relative_to(folder).as_posix()] = {"sha256": file_hash(path), "size": path.stat().st_size}
    write_json(folder / "manifest.json", {"version": MANIFEST_VERSION, "files": files})


def manifest_problem(folder: Path, *, besides: Collection[str] = ()) -> str | None:
    """Return what is wrong with a folder that has a manifest, or None when every file is as it was written.

    The files named in ``besides`` may have changed.
    """
    try:
        files: dict[str, dict[str, Any]] = read_json(folder / "manifest.json")["files"]
    except (OSError, ValueError, KeyError):
        return "has no readable manifest.json"
    for name, expected in files.items():
        path = folder / name
        if name in besides:
            continue
        if not path.is_file():
            return f"lacks {name}"
        if path.stat().st_size != expected.get("size") or file_hash(path) != expected.get("sha256"):
            return f"has a damaged {name}"
    return None


def file_hash(path: Path) -> str:
    """Return the sha256 of a file's bytes in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def written_to(path: Path, otherwise: str = "name a writable folder with --out") -> Generator[None]:
    """Turn a failed write into a DiskError with its path and what to do, by default ``otherwise``."""
    try:
        yield
    except OSError as error:
        cause = os.strerror(error.errno) if error.errno else str(error)
        remedy = {
            errno.ENOSPC: "free some space and run the same command again",
            errno.EDQUOT: "free some space and run the same command again",
            errno.EFBIG: "raise the limit on file sizes and run the same command again",
        }.get(error.errno or 0, otherwise)
        raise DiskError(f"{path} could not be written ({cause}); finished work is kept; {remedy}") from error


def sync_file(path: Path) -> None:
    """Sync a file that was written, so that its content survives a power cut."""
    # Windows syncs only what is open for writing.
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Sync a folder, so that a rename in it survives a power cut; Windows cannot open folders."""
    if not _SYNCS_FOLDERS:
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
