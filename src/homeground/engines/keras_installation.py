"""Whether Keras and TensorFlow are installed as the keras engine needs them, found out without importing either.

What is checked: that both are installed, that one TensorFlow is and not two over each other, that they are new enough,
and that Keras computes on TensorFlow.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from homeground.errors import UsageError

TENSORFLOW_NAMES = ("tensorflow", "tensorflow-cpu")
"""The packages on PyPI that hold TensorFlow; both write the same files."""

OLDEST_TENSORFLOW, OLDEST_KERAS = (2, 20), (3, 12)
INSTALL = "pip install 'homeground[keras]'"


def require_keras() -> None:
    """Raise UsageError where TensorFlow and Keras are missing, doubled, too old, or on another back end."""
    missing = [name for name in ("tensorflow", "keras") if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(f"the keras engine needs {' and '.join(missing)}; install it with: {INSTALL}")
    installed = installed_tensorflows()
    if len(installed) > 1:
        raise UsageError(
            "tensorflow and tensorflow-cpu are both installed and overwrite each other; keep one of them: "
            f"pip uninstall -y {' '.join(installed)}, then {INSTALL}"
        )
    for name, found, oldest in (
        *((name, installed[name], OLDEST_TENSORFLOW) for name in installed),
        ("keras", version("keras"), OLDEST_KERAS),
    ):
        if _numbers(found) < oldest:
            wanted = ".".join(map(str, oldest))
            raise UsageError(f"{name} {found} is installed; the keras engine needs {wanted} or newer: {INSTALL}")
    _check_backend()


def installed_tensorflows() -> dict[str, str]:
    """Return the versions of the packages that hold TensorFlow, by their names on PyPI."""
    found: dict[str, str] = {}
    for name in TENSORFLOW_NAMES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def versions() -> dict[str, str]:
    """Return the versions of TensorFlow and Keras."""
    return {**installed_tensorflows(), "keras": version("keras")}


def _check_backend() -> None:
    """Raise UsageError where Keras is to compute, or computes already, on anything but TensorFlow."""
    asked = os.environ.get("KERAS_BACKEND", "tensorflow")
    if asked != "tensorflow":
        raise UsageError(
            f'KERAS_BACKEND is "{asked}", and the keras engine computes on tensorflow; unset it, or set it to that'
        )
    backend: Any = sys.modules.get("keras.backend") or sys.modules.get("keras.src.backend")
    current = backend.backend() if backend is not None else "tensorflow"
    if current != "tensorflow":
        raise UsageError(
            f'keras is already imported with the back end "{current}"; set KERAS_BACKEND=tensorflow before it is '
            "imported, or run Homeground in a process of its own"
        )


def _numbers(found: str) -> tuple[int, ...]:
    return tuple(int(part) for part in found.split(".")[:2])
