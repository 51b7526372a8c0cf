"""Windows and macOS, as far as Linux can show it: nothing that only Unix has is needed."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from homeground.storage import new_folder, sync_file, sync_folder, write_text
from tests.conftest import PAIR_HEADER, topic_pairs

SOURCE = Path(__file__).parent.parent / "src"
AS_ON_WINDOWS = """
import os, signal, sys, warnings

# filelock takes its second way without fcntl, and says so; on Windows it has a third.
warnings.filterwarnings("ignore", "only soft file lock is available")
# psutil, which transformers takes where it is installed, needs on Linux what only Unix has, and on Windows does not.
for name in ("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "psutil"):
    sys.modules[name] = None
del signal.SIGHUP
"""


def run_as_on_windows(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", AS_ON_WINDOWS + code], cwd=folder, capture_output=True, text=True, check=False
    )


def test_every_module_is_imported_without_what_only_unix_has(tmp_path: Path) -> None:
    names = [".".join(path.relative_to(SOURCE).with_suffix("").parts) for path in SOURCE.rglob("*.py")]
    names = [name.removesuffix(".__init__") for name in names if not name.endswith("__main__")]
    if importlib.util.find_spec("tensorflow") is None:
        names = [name for name in names if not name.startswith("homeground.engines.keras.") and name[-6:] != ".keras"]
    assert len(names) > 100
    done = run_as_on_windows(f"import importlib\nfor name in {names}: importlib.import_module(name)\n", tmp_path)
    assert done.returncode == 0, done.stderr


def test_adapt_evaluate_and_an_estimate_need_nothing_that_only_unix_has(
    write_csv: Callable[..., Path], encoder: Path, tmp_path: Path
) -> None:
    data = write_csv("pairs.csv", PAIR_HEADER, topic_pairs(300))
    settings = f"{str(data)!r}, '--checkpoint', {str(encoder)!r}, '--epochs', '1', '--bootstrap-draws', '400'"
    code = (
        "from homeground.cli import run\n"
        f"codes = [run(['adapt', {settings}, '--dry-run']), run(['adapt', {settings}]),\n"
        f"         run(['evaluate', 'runs/pairs-similarity', {str(data)!r}]), run(['doctor'])]\n"
        "sys.exit(max(codes))\n"
    )
    done = run_as_on_windows(code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "GiB of memory" not in done.stdout
    assert "report.html" in done.stdout


def test_what_is_written_is_synced_without_opening_folders_and_by_files_open_for_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_open, real_sync = os.open, os.fsync

    def open_files_only(path: str | Path, *arguments: int, **options: int) -> int:
        if Path(path).is_dir():
            raise PermissionError(13, "Permission denied", str(path))
        return real_open(path, *arguments, **options)

    def sync_only_written(descriptor: int) -> None:
        os.write(descriptor, b"")  # fails on what is open for reading only, as FlushFileBuffers does
        real_sync(descriptor)

    monkeypatch.setattr(os, "open", open_files_only)
    monkeypatch.setattr(os, "fsync", sync_only_written)
    monkeypatch.setattr("homeground.storage._SYNCS_FOLDERS", False)
    with new_folder(tmp_path / "model") as folder:
        write_text(folder / "a.txt", "text")
    sync_file(tmp_path / "model" / "a.txt")
    sync_folder(tmp_path)
    assert (tmp_path / "model" / "manifest.json").is_file()
