"""From token vectors to one embedding: pooling, then the dense layers and normalization that the checkpoint names."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from homeground.checkpoint import Checkpoint
from homeground.errors import CheckpointError, nearest

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "torch.nn.modules.linear.Identity": nn.Identity,
    "torch.nn.modules.activation.Tanh": nn.Tanh,
    "torch.nn.modules.activation.ReLU": nn.ReLU,
    "torch.nn.modules.activation.GELU": nn.GELU,
    "torch.nn.modules.activation.Sigmoid": nn.Sigmoid,
}


def pool(hidden: Tensor, attention_mask: Tensor, mode: str) -> Tensor:
    """Return embeddings ``(texts, dimensions)`` of token vectors ``(texts, length, dimensions)``, padding left out.

    ``mean`` averages the tokens, ``cls`` takes the first, ``max`` the largest value of each dimension. Float32 whatever
    comes in: bfloat16 sums over tokens lose digits that a similarity needs.
    """
    hidden = hidden.float()
    if mode == "cls":
        return hidden[:, 0]
    mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
    if mode == "max":
        return hidden.masked_fill(mask == 0, -torch.inf).amax(1)
    return (hidden * mask).sum(1) / mask.sum(1).clamp(min=1e-9)


class Pooler(nn.Module):
    """Pooling and what follows it, in the order of the checkpoint's modules.json."""

    def __init__(self, mode: str, dense: list[tuple[nn.Linear, nn.Module]], *, normalize: bool) -> None:
        super().__init__()
        self.mode = mode
        self.linears = nn.ModuleList(linear for linear, _ in dense)
        self.activations = nn.ModuleList(activation for _, activation in dense)
        self.normalize = normalize

    def forward(self, hidden: Tensor, attention_mask: Tensor) -> Tensor:
        """Return embeddings ``(texts, dimensions)`` in float32."""
        embeddings = pool(hidden, attention_mask, self.mode)
        for linear, activation in zip(self.linears, self.activations, strict=True):
            embeddings = activation(linear(embeddings))
        return nn.functional.normalize(embeddings, dim=-1) if self.normalize else embeddings


def open_pooler(checkpoint: Checkpoint, mode: str) -> Pooler:
    """Return the pooler that a checkpoint names; ``mode`` other than "auto" overrides its pooling.

    Raises:
        CheckpointError: the checkpoint pools in a way that is not supported.
    """
    modules = checkpoint.modules
    if mode == "auto":
        modes = [_pooling_mode(module.config, module.folder) for module in modules if module.kind == "Pooling"]
        mode = modes[0] if modes else "mean"
    dense = [_open_dense(module.config, module.folder) for module in modules if module.kind == "Dense"]
    return Pooler(mode, dense, normalize=any(module.kind == "Normalize" for module in modules))


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


def _open_dense(config: dict[str, object], folder: Path) -> tuple[nn.Linear, nn.Module]:
    name = str(config.get("activation_function", "torch.nn.modules.linear.Identity"))
    if name not in ACTIVATIONS:
        raise CheckpointError(f'{folder}: activation "{name}" is not known; {nearest(name, ACTIVATIONS)}')
    weights = {key.removeprefix("linear."): value for key, value in load_file(folder / "model.safetensors").items()}
    linear = nn.Linear(weights["weight"].shape[1], weights["weight"].shape[0], bias="bias" in weights)
    linear.load_state_dict(weights)
    return linear.float(), ACTIVATIONS[name]()


def save_pooler(pooler: Pooler, folder: Path, *, dimensions: int) -> None:
    """Write modules.json, 1_Pooling/ and what follows it, as sentence-transformers reads them."""
    kinds = ["Transformer", "Pooling"] + ["Dense"] * len(pooler.linears) + ["Normalize"] * pooler.normalize
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
            "pooling_mode_cls_token": pooler.mode == "cls",
            "pooling_mode_mean_tokens": pooler.mode == "mean",
            "pooling_mode_max_tokens": pooler.mode == "max",
            "pooling_mode_mean_sqrt_len_tokens": False,
        },
    )
    names = {kind: name for name, kind in ACTIVATIONS.items()}
    for index, (linear, activation) in enumerate(zip(pooler.linears, pooler.activations, strict=True), start=2):
        assert isinstance(linear, nn.Linear)
        module = folder / f"{index}_Dense"
        _write(
            module / "config.json",
            {
                "in_features": linear.in_features,
                "out_features": linear.out_features,
                "bias": "bias" in linear.state_dict(),
                "activation_function": names[type(activation)],
            },
        )
        save_file({f"linear.{key}": value for key, value in linear.state_dict().items()}, module / "model.safetensors")
    if pooler.normalize:
        (folder / f"{len(kinds) - 1}_Normalize").mkdir(exist_ok=True)


def _write(path: Path, value: object) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
