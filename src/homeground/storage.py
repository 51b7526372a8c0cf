"""Files that are written whole or not at all, and known by their hashes when they are read again.

A file or folder is written under a temporary name, synced, then renamed. What is read back later is known by a hash: a
folder has a manifest, a record holds its own, and run.json lists those of the other files of a finished run.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import re
import shutil
import socket
from collections.abc import Callable, Collection, Generator, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from homeground.errors import DamagedFile, DiskError, RunLocked

MANIFEST, MANIFEST_VERSION = "manifest.json", 1
RUN_RECORD, FILES = "run.json", "files"
"""The record of a run, and its field that lists the files of a finished one with their hashes."""

SEAL = "sha256"
"""The field of a sealed record with the hash of all its other fields."""

FRESH = "make the run again with --fresh"
"""What to do about a file that no command makes again."""

OTHER_OUT = "name a writable folder with --out"
"""What to do about a folder that cannot be written."""

_SYNCS_FOLDERS = os.name != "nt"
_LITTER = re.compile(r"\..+\.\d+\.(tmp|old)")


@contextlib.contextmanager
def locked(folder: Path, *, option: str = "--out") -> Generator[None]:
    """Hold the lock beside a run folder; a file beside it names the process that has it.

    ``option`` is that by which the user names another folder.
    """
    folder = with_own_name(folder)
    path = folder.with_name(f".{folder.name}.lock")
    holder = path.with_suffix(".holder.json")
    lock = FileLock(path)
    with written_to(path, f"name a writable folder with {option}"):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            name = "another process"
            with contextlib.suppress(OSError, ValueError, LookupError, TypeError):  # it may be gone, or half there
                owner = read_json(holder)
                name = f"process {owner['process']} on {owner['host']} since {owner['since']}"
            message = f"{folder} is being written by {name}; wait for it, or name another folder with {option}"
            raise RunLocked(message) from None
    for torn in folder.parent.glob(f".{holder.name}.*.tmp"):  # of a process that was killed
        torn.unlink(missing_ok=True)
    try:
        write_json(holder, {"process": os.getpid(), "host": socket.gethostname(), "since": now()})
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def with_own_name(folder: Path) -> Path:
    """Return the path of a folder that ends in its name, which ``.`` and ``..`` do not."""
    return Path(os.path.abspath(folder)) if folder.name in ("", "..") else folder  # noqa: PTH100 - links are not followed


def aside(folder: Path) -> Path:
    """Return the first free name of the form ``pairs.old-1``."""
    folder = with_own_name(folder)
    number = 1
    while (path := folder.with_name(f"{folder.name}.old-{number}")).exists():
        number += 1
    return path


def now() -> str:
    """Return the present moment as an ISO 8601 string in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def parse_json(text: str | bytes, **options: Any) -> Any:
    """Return the value of JSON text, as json.loads does.

    Raises ValueError for all that is no JSON, brackets that are nested too deeply included.
    """
    try:
        return json.loads(text, **options)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file."""
    return parse_json(path.read_text(encoding="utf-8"))


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON file atomically; NaN is refused because it is not valid JSON."""
    write_text(path, as_json(value))


def as_json(value: Mapping[str, Any]) -> str:
    """Return the text of a JSON file."""
    return json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def sealed(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record with the hash of its fields as one more, so that a change is found when it is read.

    >>> is_sealed(sealed({"a": 1})), is_sealed({**sealed({"a": 1}), "a": 2})
    (True, False)
    """
    return {**value, SEAL: _seal(value)}


def is_sealed(value: Mapping[str, Any], *, unsealed_version: int | None = 0) -> bool:
    """Return whether a record is as it was sealed.

    Records of an ``unsealed_version`` have no seal; where that is None, those without any version.
    """
    if SEAL not in value:
        return value.get("version") == unsealed_version
    return value[SEAL] == _seal({name: each for name, each in value.items() if name != SEAL})


def _seal(value: Mapping[str, Any]) -> str:
    text = json.dumps(json.loads(json.dumps(value)), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def read_sealed(path: Path, *, unsealed_version: int = 0, remedy: str = FRESH) -> dict[str, Any]:
    """Return the record in a JSON file without its seal; records of an ``unsealed_version`` have none.

    Raises:
        DamagedFile: it is no JSON object, or not as it was written.
    """
    try:
        value: object = parse_json(path.read_text(encoding="utf-8"))
    except ValueError:
        raise DamagedFile(path, remedy) from None
    if isinstance(value, dict):
        record = cast(dict[str, Any], value)
        if is_sealed(record, unsealed_version=unsealed_version):
            return {name: each for name, each in record.items() if name != SEAL}
    raise DamagedFile(path, remedy)


def require_listed(folder: Path, name: str, remedy: str = FRESH) -> Path:
    """Return the path of a file of a run, which must be as run.json lists it; of runs that list none it is not checked.

    Raises:
        DamagedFile: it is missing, or not as it was written; or run.json is.
    """
    path, record = folder / name, folder / RUN_RECORD
    listed = read_sealed(record, unsealed_version=1).get(FILES, {}) if record.is_file() else {}
    if name in listed and not path.is_file():
        raise DamagedFile(path, remedy, missing=True)
    if name in listed and file_hash(path) != listed[name]:
        raise DamagedFile(path, remedy)
    return path


def write_json_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write a JSON Lines file atomically."""
    write_text(path, as_json_lines(rows))


def as_json_lines(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return the text of a JSON Lines file."""
    return "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)


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
def new_folder(path: Path, otherwise: str = OTHER_OUT) -> Generator[Path]:
    """Yield a temporary folder to fill; at the end it gets a manifest and is renamed to ``path``.

    An older folder at ``path`` is replaced only once the new one is complete. ``otherwise`` is that of ``written_to``.
    """
    path = with_own_name(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with written_to(path, otherwise):
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


def write_manifest(folder: Path, names: Iterable[str] | None = None) -> None:
    """Write manifest.json: the sha256 and size of the files there of these names, by default of all; synced."""
    if names is None:
        every = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        names = (name for name in every if name != MANIFEST)
    files: dict[str, dict[str, Any]] = {}
    for name in sorted(names):
        if not (folder / name).is_file():
            continue
        sync_file(folder / name)
        files[name] = {"sha256": file_hash(folder / name), "size": (folder / name).stat().st_size}
    write_json(folder / MANIFEST, sealed({"version": MANIFEST_VERSION, "files": files}))


def manifest_problem(folder: Path, *, besides: Collection[str] = ()) -> str | None:
    """Return what is wrong with a folder that has a manifest, or None when every file is as it was written.

    The files named in ``besides`` may have changed.
    """
    try:
        files = dict[str, dict[str, Any]](read_sealed(folder / MANIFEST, unsealed_version=MANIFEST_VERSION)["files"])
        expected = {name: (each["size"], each["sha256"]) for name, each in files.items() if name not in besides}
    except (OSError, ValueError, LookupError, TypeError, DamagedFile):
        return "has no readable manifest.json"
    for name, (size, sha256) in expected.items():
        path = folder / name
        if not path.is_file():
            return f"lacks {name}"
        if path.stat().st_size != size or file_hash(path) != sha256:
            return f"has a damaged {name}"
    return None


def is_closed(folder: Path, report: Callable[[str], object]) -> bool:
    """Return whether the results in a folder are all there, closed by a manifest.

    Where one of them is damaged this is reported, for they are to be made again.
    """
    if not (folder / MANIFEST).is_file():
        return False
    problem = manifest_problem(folder)
    if problem is not None:
        report(f"{folder} {problem}; it is made again")
    return problem is None


def remove_litter(folder: Path) -> None:
    """Remove what processes that were killed left half written in a run that this process holds.

    Runs inside its folder are passed over: whoever opens them removes what is theirs.
    """
    for path in sorted(folder.iterdir()):
        if is_litter(path):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        elif path.is_dir() and not path.is_symlink() and not (path / RUN_RECORD).is_file():
            remove_litter(path)


def is_litter(path: Path) -> bool:
    """Return whether a file or folder has the name of one that is being written, or is being replaced."""
    return _LITTER.fullmatch(path.name) is not None


def has_ended(process: int) -> bool:
    """Return whether no process of this number is on this machine; on Windows, where asking would end it, False."""
    if os.name == "nt":
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def holds_files(folder: Path) -> bool:
    """Return whether a folder holds more than what a process that was killed left half written."""
    return folder.is_dir() and not all(map(is_litter, folder.iterdir()))


def file_hash(path: Path) -> str:
    """Return the sha256 of a file's bytes in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def written_to(path: Path, otherwise: str = OTHER_OUT) -> Generator[None]:
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


def require_space(folder: Path, least: int) -> int:
    """Return the bytes that are free for a folder.

    Raises:
        DiskError: they are fewer than ``least``.
    """
    free = shutil.disk_usage(folder).free
    if free < least:
        raise DiskError(
            f"{folder}: the run needs at least {least / 1e6:,.0f} MB on the disk, and {free / 1e6:,.0f} MB are free; "
            "free some space, or name a folder on another disk with --out"
        )
    return free


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
