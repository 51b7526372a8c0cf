"""From token vectors to one embedding: pooling, then the dense layers and normalization that the checkpoint names."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from homeground.engines.sentence_modules import DenseLayer, EmbeddingSteps

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "identity": nn.Identity,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "sigmoid": nn.Sigmoid,
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
            # Under bf16 a linear layer returns bf16, in which the cosine of near-identical texts rounds to 1.
            embeddings = activation(linear(embeddings).float())
        return nn.functional.normalize(embeddings, dim=-1) if self.normalize else embeddings


def open_pooler(steps: EmbeddingSteps) -> Pooler:
    """Return the pooler that takes the steps a checkpoint names."""
    dense: list[tuple[nn.Linear, nn.Module]] = []
    for layer in steps.dense:
        linear = nn.Linear(layer.weight.shape[1], layer.weight.shape[0], bias=layer.bias is not None)
        weights = {"weight": layer.weight} | ({} if layer.bias is None else {"bias": layer.bias})
        linear.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
        dense.append((linear, ACTIVATIONS[layer.activation]()))
    return Pooler(steps.mode, dense, normalize=steps.normalize)


def steps_of(pooler: Pooler) -> EmbeddingSteps:
    """Return the steps of a pooler with its weights as they are now, to be written."""
    names = {kind: name for name, kind in ACTIVATIONS.items()}
    dense: list[DenseLayer] = []
    for linear, activation in zip(pooler.linears, pooler.activations, strict=True):
        weights = {name: value.detach().cpu().numpy() for name, value in linear.state_dict().items()}
        dense.append(DenseLayer(weights["weight"], weights.get("bias"), names[type(activation)]))
    return EmbeddingSteps(pooler.mode, tuple(dense), normalize=pooler.normalize)
