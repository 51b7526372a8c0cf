"""Graphs opened by their runtimes, each as a function from arrays to arrays."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homeground.errors import CheckpointError, UsageError
from homeground.processes.children import named_threads, usable_cores

Arrays = Mapping[str, NDArray[Any]]
Compute = Callable[[Arrays], Arrays]
"""From the inputs of a graph to its outputs, both by name."""


@dataclass(frozen=True)
class Session:
    """A graph that a runtime has opened, with the names of its inputs; ``threads`` is 0 where the runtime decides.

    ``precision`` is what it computes in, which is float32 where the processor has no bfloat16.
    """

    compute: Compute
    inputs: tuple[str, ...]
    precision: str
    threads: int


Opened = tuple[Compute, tuple[str, ...], str]
"""What computes, the names of the inputs, and the precision that it computes in."""

RUNTIMES = {"openvino": "openvino", "onnx": "onnxruntime"}
"""The library that computes graphs of a format, as it is installed and imported."""

SENDS_STATISTICS = "openvino_telemetry"
"""What OpenVINO reports its use by, over the network and unasked; without this module it does not."""


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


def open_session(format: str, path: Path, *, precision: str = "fp32", threads: int | None = None) -> Session:
    """Return a graph that is open; it computes in float32, apart from what it holds as int8, or in ``bf16``.

    Raises:
        UsageError: the runtime is not installed.
        CheckpointError: the runtime cannot open the graph.
    """
    library, threads = runtime(format), threads or named_threads()
    try:
        compute, inputs, precision = OPENED_BY[format](library, path, precision, threads)
        return Session(compute, inputs, precision, threads)
    except Exception as error:  # each runtime raises errors of its own
        raise CheckpointError(f"{path}: {RUNTIMES[format]} could not open it ({reason_of(error)})") from error


def reason_of(error: Exception) -> str:
    """Return the last line of the message of a runtime; those before it name places in its source."""
    return (str(error).strip() or type(error).__name__).splitlines()[-1].strip()


@functools.cache
def _core(library: Any) -> Any:
    """Return the core of OpenVINO that all graphs share, and that is there until the process ends.

    Each core lends the thread that made it a stack for handlers of signals. One that is let go while a later one is
    there leaves the thread with memory that is gone, and Ctrl-C then ends the process with a segmentation fault.
    """
    return library.Core()


def _open_openvino(library: Any, path: Path, precision: str, threads: int) -> Opened:
    # A processor that multiplies bfloat16 would do so unless told otherwise.
    hint = "bf16" if precision == "bf16" else "f32"
    settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "LATENCY", "CACHE_DIR": ""}
    if threads:
        settings["INFERENCE_NUM_THREADS"] = threads
    compiled = _core(library).compile_model(str(path), "CPU", settings)
    outputs = {output.get_any_name(): output for output in compiled.outputs}

    def compute(arrays: Arrays) -> Arrays:
        results = compiled(dict(arrays), share_inputs=True)
        return {name: np.array(results[output]) for name, output in outputs.items()}

    if precision == "bf16" and compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name() != "bf16":
        precision = "fp32"
    return compute, tuple(each.get_any_name() for each in compiled.inputs), precision


def _open_onnx(library: Any, path: Path, precision: str, threads: int) -> Opened:
    options = library.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # From bytes, so that no file but this one is looked for.
    session = library.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    inputs = tuple(each.name for each in session.get_inputs())
    return lambda arrays: dict(zip(names, session.run(names, dict(arrays)), strict=True)), inputs, precision


OPENED_BY: dict[str, Callable[[Any, Path, str, int], Opened]] = {
    "openvino": _open_openvino,
    "onnx": _open_onnx,
}


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
    return {"device": "cpu", "threads": str(threads_or_cores(0))}


def threads_or_cores(threads: int) -> int:
    """Return a number of threads; for 0 that of the environment, else that of the cores."""
    return threads or named_threads() or usable_cores()
