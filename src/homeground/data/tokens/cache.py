"""The user's cache: folders that are written whole, by one process at a time, and removed when nobody used them."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
import warnings
from collections.abc import Generator
from pathlib import Path

from filelock import FileLock

from homeground.errors import DamageWarning
from homeground.storage import is_closed, is_litter, written_to

UNUSED_DAYS = 30
"""What no run used for so many days is removed when new folders are written."""

SECONDS_OF_DAY = 86400

LITTER_DAYS = 2
"""What has been half written for so many days was left by a process that was killed."""

LOCK_DIGITS = 3
"""Digits of a key that name its lock: lock files stay, so there are a few thousand of them at most."""

OTHER_CACHE = "set HOMEGROUND_CACHE to a folder that can be written"
"""What to do about a cache that cannot be written."""


def cache_folder() -> Path:
    """Return the folder of what later runs reuse: HOMEGROUND_CACHE, else the user's own cache."""
    folder = os.environ.get("HOMEGROUND_CACHE")
    return Path(folder) if folder else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "homeground"


@contextlib.contextmanager
def locked_cache(folder: Path) -> Generator[None]:
    """Wait while another process writes the same folder of the cache, so that nothing is computed twice."""
    with written_to(folder, OTHER_CACHE):
        lock = FileLock(folder.parent.with_name("locks") / f"{folder.parent.name}-{folder.name[:LOCK_DIGITS]}")
        Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    try:
        yield
        note_use(folder)
    finally:
        lock.release()


def note_use(folder: Path) -> None:
    """Keep a folder from being removed as unused, where it is there."""
    with contextlib.suppress(FileNotFoundError):
        os.utime(folder)


def remove_unused(folder: Path) -> None:
    """Remove what nobody needs of the folders in one; to be called before new ones are written."""
    for place in folder.iterdir() if folder.is_dir() else ():
        days = LITTER_DAYS if is_litter(place) else UNUSED_DAYS
        with contextlib.suppress(FileNotFoundError):  # another process may remove it too, or rename it
            if place.is_dir() and place.stat().st_mtime < time.time() - days * SECONDS_OF_DAY:
                shutil.rmtree(place, ignore_errors=True)


def is_whole(folder: Path) -> bool:
    """Return whether a folder of the cache is there whole; one that is damaged is said to be made again."""
    return is_closed(folder, lambda text: warnings.warn(text, DamageWarning, stacklevel=2))
