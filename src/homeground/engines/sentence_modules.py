"""The modules of a sentence encoder on disk: pooling, dense layers, normalization, as sentence-transformers keeps them.

Read and written with NumPy alone, so that every engine computes the same steps from the same files.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from homeground.checkpoint import Checkpoint
from homeground.engines.tensors import read_tensors
from homeground.errors import CheckpointError, nearest

IDENTITY = "torch.nn.modules.linear.Identity"
DENSE_ACTIVATIONS = {
    IDENTITY: "identity",
    "torch.nn.modules.activation.Tanh": "tanh",
    "torch.nn.modules.activation.ReLU": "relu",
    "torch.nn.modules.activation.GELU": "gelu",
    "torch.nn.modules.activation.Sigmoid": "sigmoid",
}
"""The activations of dense layers, by the names in their config.json."""


@dataclass(frozen=True)
class DenseLayer:
    """A linear map ``weight (out, in)`` with or without a bias, and the activation after it."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32] | None
    activation: str


@dataclass(frozen=True)
class EmbeddingSteps:
    """What makes one embedding of token vectors: pooling by ``mode``, dense layers, maybe normalization."""

    mode: str
    dense: tuple[DenseLayer, ...]
    normalize: bool


def read_steps(checkpoint: Checkpoint, mode: str) -> EmbeddingSteps:
    """Return the steps that a checkpoint names; ``mode`` other than "auto" overrides its pooling.

    Raises:
        CheckpointError: the checkpoint pools, or has an activation, in a way that is not supported.
    """
    modules = checkpoint.modules
    if mode == "auto":
        modes = [_pooling_mode(module.config, module.folder) for module in modules if module.kind == "Pooling"]
        mode = modes[0] if modes else "mean"
    dense = tuple(_read_dense(module.config, module.folder) for module in modules if module.kind == "Dense")
    return EmbeddingSteps(mode, dense, normalize=any(module.kind == "Normalize" for module in modules))


def read_dense_weights(folder: Path, count: int) -> list[dict[str, NDArray[np.float32]]]:
    """Return the weights, ``weight`` and maybe ``bias``, of the dense layers that ``write_steps`` wrote."""
    files = [read_tensors(folder / f"{index}_Dense" / "model.safetensors") for index in range(2, 2 + count)]
    return [{name.removeprefix("linear."): value for name, value in file.items()} for file in files]


def write_steps(steps: EmbeddingSteps, folder: Path, *, dimensions: int) -> None:
    """Write modules.json, 1_Pooling/ and what follows it, as sentence-transformers reads them.

    ``dimensions`` are those of the token vectors.
    """
    kinds = ["Transformer", "Pooling"] + ["Dense"] * len(steps.dense) + ["Normalize"] * steps.normalize
    modules = [
        {
            "idx": index,
            "name": str(index),
            "path": "" if kind == "Transformer" else f"{index}_{kind}",
            "type": f"sentence_transformers.models.{kind}",
        }
        for index, kind in enumerate(kinds)
    ]
    _write(folder / "modules.json", modules)
    _write(
        folder / "1_Pooling" / "config.json",
        {
            "word_embedding_dimension": dimensions,
            "pooling_mode_cls_token": steps.mode == "cls",
            "pooling_mode_mean_tokens": steps.mode == "mean",
            "pooling_mode_max_tokens": steps.mode == "max",
            "pooling_mode_mean_sqrt_len_tokens": False,
        },
    )
    _write_dense(steps.dense, folder)
    if steps.normalize:
        (folder / f"{len(kinds) - 1}_Normalize").mkdir(exist_ok=True)


def _write_dense(layers: Sequence[DenseLayer], folder: Path) -> None:
    names = {kind: name for name, kind in DENSE_ACTIVATIONS.items()}
    for index, layer in enumerate(layers, start=2):
        module = folder / f"{index}_Dense"
        settings = {
            "in_features": layer.weight.shape[1],
            "out_features": layer.weight.shape[0],
            "bias": layer.bias is not None,
            "activation_function": names[layer.activation],
        }
        _write(module / "config.json", settings)
        weights = {"linear.weight": layer.weight} | ({} if layer.bias is None else {"linear.bias": layer.bias})
        save_file(weights, module / "model.safetensors", metadata={"format": "pt"})


def _pooling_mode(config: dict[str, object], folder: Path) -> str:
    """Read a Pooling module's config, written with one flag a mode or, since sentence-transformers 5, with a name."""
    flags = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls", "pooling_mode_max_tokens": "max"}
    named = config.get("pooling_mode")
    modes = [named] if named else [name for name in config if name.startswith("pooling_mode_") and config[name]]
    modes = [flags.get(str(mode), str(mode)) for mode in modes]
    if len(modes) != 1 or modes[0] not in ("mean", "cls", "max"):
        raise CheckpointError(
            f"{folder}: pools by {', '.join(modes) or 'nothing'}; choose mean, cls or max with --pooling"
        )
    return modes[0]


def _read_dense(config: dict[str, object], folder: Path) -> DenseLayer:
    name = str(config.get("activation_function", IDENTITY))
    if name not in DENSE_ACTIVATIONS:
        raise CheckpointError(f'{folder}: activation "{name}" is not known; {nearest(name, DENSE_ACTIVATIONS)}')
    weights = {key.removeprefix("linear."): value for key, value in read_tensors(folder / "model.safetensors").items()}
    return DenseLayer(weights["weight"], weights.get("bias"), DENSE_ACTIVATIONS[name])


def _write(path: Path, value: object) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
