"""Graphs opened by their runtimes, each as a function from arrays to arrays."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homeground.errors import CheckpointError, UsageError

Arrays = Mapping[str, NDArray[Any]]
Compute = Callable[[Arrays], Arrays]
"""From the inputs of a graph to its outputs, both by name."""

RUNTIMES = {"openvino": "openvino", "onnx": "onnxruntime"}
"""The library that computes graphs of a format, as it is installed and imported."""

SENDS_STATISTICS = "openvino_telemetry"
"""What OpenVINO reports its use by, over the network and unasked; without this module it does not."""

THREADS = "OMP_NUM_THREADS"
"""The variable that says with how many threads this process computes; by default with as many as the runtime likes."""


def runtime(format: str) -> Any:
    """Return the library that computes graphs of a format.

    Raises:
        UsageError: it is not installed; the message has the command that installs it.
    """
    name = RUNTIMES[format]
    sys.modules.setdefault(SENDS_STATISTICS, None)  # pyright: ignore[reportArgumentType] - what import takes for absent
    try:
        return importlib.import_module(name)
    except ImportError:
        raise UsageError(
            f"a model exported for {format} is computed by {name}, which is not installed; install it with: "
            f'pip install {name} (everything to export: pip install "homeground[export]")'
        ) from None


def open_session(format: str, path: Path, *, threads: int | None = None) -> Compute:
    """Return the function that a graph computes; in float32, apart from what the graph holds as int8.

    Raises:
        UsageError: the runtime is not installed.
        CheckpointError: the runtime cannot open the graph.
    """
    library, threads = runtime(format), threads or _threads()
    try:
        return OPENED_BY[format](library, path, threads)
    except Exception as error:  # each runtime raises errors of its own
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CheckpointError(f"{path}: {RUNTIMES[format]} could not open it ({reason})") from error


def _open_openvino(library: Any, path: Path, threads: int) -> Compute:
    # A processor that multiplies bfloat16 would do so unless told otherwise.
    settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY", "CACHE_DIR": ""}
    if threads:
        settings["INFERENCE_NUM_THREADS"] = threads
    compiled = library.Core().compile_model(str(path), "CPU", settings)
    outputs = {output.get_any_name(): output for output in compiled.outputs}

    def compute(arrays: Arrays) -> Arrays:
        results = compiled(dict(arrays), share_inputs=True)
        return {name: np.array(results[output]) for name, output in outputs.items()}

    return compute


def _open_onnx(library: Any, path: Path, threads: int) -> Compute:
    options = library.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # From bytes, so that no file but this one is looked for.
    session = library.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda arrays: dict(zip(names, session.run(names, dict(arrays)), strict=True))


OPENED_BY: dict[str, Callable[[Any, Path, int], Compute]] = {"openvino": _open_openvino, "onnx": _open_onnx}


def _threads() -> int:
    """Return the number of threads that the environment asks for, else 0."""
    asked = os.environ.get(THREADS, "")
    return int(asked) if asked.isdecimal() else 0


def versions() -> dict[str, str]:
    """Return the versions of the runtimes that are installed."""
    found: dict[str, str] = {}
    for name in RUNTIMES.values():
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def describe_hardware() -> dict[str, str]:
    """Return the device and its threads."""
    return {"device": "cpu", "threads": str(_threads() or os.cpu_count())}
