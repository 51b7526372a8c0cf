"""TensorFlow and Keras, imported here and nowhere else, after all that could be wrong with them has been checked.

The other files of this folder take ``tf``, ``keras`` and ``ops`` from here.
"""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Generator
from typing import Any

from homeground.engines.keras_installation import require_keras

STANDARD_ERROR = 2
"""The number of its file."""


def _load() -> tuple[Any, Any]:
    """Import TensorFlow and Keras, with their start-up messages left out and results that repeat to the bit."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _silent_start():
        tensorflow, keras = importlib.import_module("tensorflow"), importlib.import_module("keras")
        tensorflow.config.list_physical_devices()
    tensorflow.get_logger().setLevel("ERROR")  # it warns of each model that is traced, as if one was traced too often
    tensorflow.config.experimental.enable_op_determinism()
    return tensorflow, keras


@contextlib.contextmanager
def _silent_start() -> Generator[None]:
    """Keep from the terminal what TensorFlow's C++ prints while it starts, whatever its log level says."""
    try:
        kept = os.dup(STANDARD_ERROR)
    except OSError:  # it is closed, so nothing is printed
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, STANDARD_ERROR)
    try:
        yield
    finally:
        os.dup2(kept, STANDARD_ERROR)
        os.close(nowhere)
        os.close(kept)


require_keras()
tf, keras = _load()
ops: Any = keras.ops
