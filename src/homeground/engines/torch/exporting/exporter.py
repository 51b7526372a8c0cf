"""A model written as a graph for OpenVINO or ONNX Runtime, in float32 or quantized to int8.

The exporters of transformers trace the model with torch.export, which knows nothing of the sizes of a batch, and call
NNCF or ONNX Runtime to quantize. Both are libraries of the extra ``export``.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import sys
import warnings
from collections.abc import Generator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from transformers import logging as transformers_logging

from homeground.checkpoint.exported import GRAPH_FILES
from homeground.engines.exported.sessions import SENDS_STATISTICS
from homeground.engines.model import Batch, Model
from homeground.engines.torch.exporting.graph import ExportedGraph, graph_of
from homeground.engines.torch.model import TorchModel
from homeground.engines.torch.networks.network import to_device
from homeground.errors import CheckpointError, UsageError

NEEDED = {
    ("openvino", False): ("openvino",),
    ("openvino", True): ("openvino", "nncf"),
    ("onnx", False): ("onnx", "onnxscript", "onnxruntime"),
    ("onnx", True): ("onnx", "onnxscript", "onnxruntime"),
}
"""The packages that an export needs, by its format and whether it is quantized."""

EXPORTERS = "transformers.exporters"
FIRST_WITH_EXPORTERS = "5.23"
"""The first release of transformers whose exporters quantize."""

MAX_ONNX_BYTES = 2**31 - 2**20
"""What one file of ONNX holds."""

NOISY = ("nncf", "onnxscript", "onnx_ir", "torch.onnx", "torch.export", "root")
"""Loggers of the libraries that report what a user cannot act on."""


def require_exporters(format: str, *, int8: bool) -> None:
    """Raise UsageError where a library for an export is not installed; the message has the command."""
    missing = [name for name in NEEDED[format, int8] if _version(name) is None]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise UsageError(
            f"an export for {format}{' in int8' if int8 else ''} needs {' and '.join(missing)}, which {verb} not "
            'installed; install the extra with: pip install "homeground[export]"'
        )
    try:
        importlib.import_module(f"{EXPORTERS}.exporter_{format}")
        importlib.import_module(f"{EXPORTERS}.quantizers")
    except ImportError:
        raise UsageError(
            f"transformers {version('transformers')} has no exporters that quantize; install {FIRST_WITH_EXPORTERS} or "
            f'newer with: pip install "transformers>={FIRST_WITH_EXPORTERS}"'
        ) from None


def export_model(
    model: Model, folder: Path, *, format: str, head: str, calibration: Sequence[Batch] | None = None
) -> dict[str, Any]:
    """Write the graph of a model into a folder, and return its ``inputs`` by name and the ``versions`` of libraries.

    With ``calibration``, batches of training examples, it is quantized to int8: for OpenVINO the scales of activations
    are those that the batches need (static), for ONNX Runtime they are found anew in every call (dynamic), and the
    batches are not read.

    Raises:
        UsageError: a library is missing, or the format cannot hold the model.
        CheckpointError: the exporter cannot trace its architecture.
    """
    int8 = calibration is not None
    require_exporters(format, int8=int8)
    assert isinstance(model, TorchModel)
    graph, sample = graph_of(model.network, head)
    size = sum(each.numel() * each.element_size() for each in graph.parameters())
    if format == "onnx" and size > MAX_ONNX_BYTES:
        raise UsageError(f"its weights take {size / 1e9:.1f} GB, and a file of ONNX holds 2; use --format openvino")
    batches = [_inputs(each, sample) for each in calibration or ()]
    device = graph.body.device
    with _quietly():
        try:
            program = _program(graph.cpu(), sample, format, batches if int8 else None)
        except UsageError:
            raise
        except Exception as error:  # each architecture and each library raises errors of its own
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise CheckpointError(
                f"{type(graph.body).__name__} could not be exported for {format}: {reason}; predict with the run itself"
            ) from error
        finally:
            model.network.to(device)
        _write(program, folder / GRAPH_FILES[format][0])
    packages = ("torch", "transformers", *NEEDED[format, int8])
    return {"inputs": list(sample), "versions": {name: _version(name) for name in packages}}


def _program(
    graph: ExportedGraph, sample: Mapping[str, torch.Tensor], format: str, batches: list[dict[str, torch.Tensor]] | None
) -> Any:
    any_size = torch.export.Dim.DYNAMIC
    shapes = {name: dict.fromkeys(range(values.ndim), any_size) for name, values in sample.items()}
    settings: dict[str, Any] = {"dynamic": True, "dynamic_shapes": shapes}
    quantizers: Any = importlib.import_module(f"{EXPORTERS}.quantizers")
    room: Any = importlib.import_module(f"{EXPORTERS}.exporter_{format}")
    if format == "openvino":
        if batches is not None:
            settings["quantizer"] = quantizers.NNCFOpenVINOQuantizer(calibration_dataset=batches)
        return room.OpenVINOExporter().export(graph, dict(sample), room.OpenVINOConfig(**settings)).program
    if batches is not None:
        settings["quantizer"] = quantizers.OnnxRuntimeQuantizer(quantizers.OnnxRuntimeDynamicConfig())
    return room.OnnxExporter().export(graph, dict(sample), room.OnnxConfig(**settings)).program


def _write(program: Any, path: Path) -> None:
    if path.suffix == ".xml":
        openvino: Any = importlib.import_module("openvino")
        openvino.save_model(program, str(path), compress_to_fp16=False)
    else:
        # With its weights inside, so that nothing outside of the file is ever read.
        onnx_ir: Any = importlib.import_module("onnx_ir")
        onnx_ir.save(program, str(path))


def _inputs(batch: Batch, sample: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return what a graph gets of a batch, texts of pairs one after the other."""
    tensors = to_device(batch, torch.device("cpu"))
    inputs: dict[str, torch.Tensor] = {}
    for name in sample:
        if name == "positions":
            inputs[name] = (tensors["labels"].reshape(-1) != -100).nonzero()[:, 0]
        elif name in tensors:
            inputs[name] = tensors[name].reshape(-1, tensors[name].shape[-1])
        else:
            inputs[name] = torch.zeros_like(inputs["input_ids"])
    return inputs


@contextlib.contextmanager
def _quietly() -> Generator[None]:
    """Let libraries print nothing while a model is exported, and send no statistics of their use."""
    sys.modules.setdefault(SENDS_STATISTICS, None)  # pyright: ignore[reportArgumentType] - what import takes for absent
    levels = {name: logging.getLogger(name).level for name in NOISY}
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity(logging.CRITICAL)
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
