"""A sequence classifier as transformers builds it, and its head: all that follows the last hidden state.

The head must be fitted before it is compared, and be saved as transformers' own. So it is looked at as two linear maps
with an activation between them: ``inner`` takes the vector of the first token, ``outer`` gives the logits. With the
right weights ``inner`` passes its vector through (nearly) unchanged, and ``outer`` is then a logistic regression on the
checkpoint's own vectors.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedModel

from homeground.engines.model import HeadVariant
from homeground.engines.torch.encoder import restore_body
from homeground.engines.torch.pooling import Pooler

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Family:
    """How the head of an architecture is built: the names of its two linear maps and what stands between them."""

    inner: str
    activation: Literal["tanh", "relu", "gelu"]
    outer: str


FAMILIES = {
    "bert": Family("bert.pooler.dense", "tanh", "classifier"),
    "camembert": Family("classifier.dense", "tanh", "classifier.out_proj"),
    "deberta": Family("pooler.dense", "gelu", "classifier"),
    "deberta-v2": Family("pooler.dense", "gelu", "classifier"),
    "distilbert": Family("pre_classifier", "relu", "classifier"),
    "electra": Family("classifier.dense", "gelu", "classifier.out_proj"),
    "mpnet": Family("classifier.dense", "tanh", "classifier.out_proj"),
    "roberta": Family("classifier.dense", "tanh", "classifier.out_proj"),
    "xlm-roberta": Family("classifier.dense", "tanh", "classifier.out_proj"),
}
"""By model type. Of other architectures only the last linear map is fitted, on what the rest of the head makes."""

SQUEEZES = (0.25, 1.0)
"""Root mean square, before tanh, of how the vectors deviate from their mean: nearly linear, and bent at the ends."""

ROOM_ABOVE = 1.0
"""Beyond the smallest value seen in training, what is added so that relu and gelu let everything pass, in units of how
the vectors deviate from their mean (root mean square)."""


class ClassifierNetwork(nn.Module):
    """A sequence classifier; ``pooler`` makes embeddings of its body, for measures that need them."""

    output = "logits"

    def __init__(self, body: PreTrainedModel, pooler: Pooler, *, new: frozenset[str]) -> None:
        super().__init__()
        self.body: Any = body
        self.pooler = pooler
        self.new = new
        """Names of the weights that the checkpoint did not have."""
        self.family = _family(body)
        forward = inspect.signature(body.forward).parameters
        kinds = int(getattr(body.config, "type_vocab_size", 0) or 0)
        self._takes_types = "token_type_ids" in forward and kinds > 1

    def forward(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Return logits ``(items, classes)`` in float32 of token ids ``(items, length)``."""
        names = ("input_ids", "attention_mask", *(("token_type_ids",) if self._takes_types else ()))
        return self.body(**{name: batch[name] for name in names if name in batch}).logits.float()

    def answers(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the output by its name."""
        return {self.output: self(batch)}

    def probe(self) -> dict[str, Tensor]:
        """Return the smallest batch that passes through everything an output depends on."""
        ones = torch.ones((1, 4), dtype=torch.long)
        return {"input_ids": ones, "attention_mask": ones}

    def save(self, folder: Path) -> None:
        """Write the weights as transformers reads them."""
        self.body.save_pretrained(folder, safe_serialization=True)

    def restore(self, folder: Path) -> None:
        """Take the weights from what ``save`` wrote."""
        restore_body(self.body, folder)

    @property
    def has_head(self) -> bool:
        """Whether the checkpoint came with a head for these very labels."""
        return not any(name.startswith(self.family.outer + ".") for name in self.new)

    def features(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return what enters the head, ``(items, dimensions)``, and the mean of the tokens' last hidden states."""
        seen: dict[str, Tensor] = {}
        name = self.family.inner or self.family.outer
        hooks = [
            _module(self.body, name).register_forward_pre_hook(lambda _, given: seen.update(head=given[0])),
            self.body.base_model.register_forward_hook(lambda _module, _given, got: seen.update(hidden=got[0])),
        ]
        try:
            self(batch)
        finally:
            for hook in hooks:
                hook.remove()
        mask = batch["attention_mask"]
        return {"head": seen["head"].float(), "mean": Pooler("mean", [], normalize=False)(seen["hidden"], mask)}

    def head_variants(self, vectors: Floats) -> list[HeadVariant]:
        """Return the ways the inner map may be set, for vectors ``(items, dimensions)`` of the training examples."""
        inner = self.family.inner
        if not inner:
            return [HeadVariant("as the architecture has it", {})]
        mean = vectors.mean(0)
        spread = float(np.sqrt(np.mean(np.square(vectors - mean, dtype=np.float64)))) or 1.0
        identity = np.eye(vectors.shape[1], dtype=np.float32)
        variants: list[HeadVariant] = []
        if f"{inner}.weight" not in self.new:
            variants.append(HeadVariant("the checkpoint's own pooler", {}))
        if self.family.activation == "tanh":
            for squeeze in SQUEEZES:
                scale = np.float32(squeeze / spread)
                name = f"first token, scaled by {scale:.3g}"
                variants.append(HeadVariant(name, {"weight": identity * scale, "bias": -scale * mean}))
        else:
            shift = np.maximum(-vectors.min(0), 0) + np.float32(ROOM_ABOVE * spread)
            variants.append(HeadVariant("first token", {"weight": identity, "bias": shift}))
        return variants

    @torch.no_grad()
    def head_features(self, vectors: Tensor, variant: HeadVariant) -> Tensor:
        """Return what reaches the outer map, ``(items, dimensions)``, for vectors that enter the head."""
        if not self.family.inner:
            return vectors
        inner = _module(self.body, self.family.inner)
        weight = torch.as_tensor(variant.inner.get("weight", inner.weight), device=vectors.device)
        bias = torch.as_tensor(variant.inner.get("bias", inner.bias), device=vectors.device)
        passed = nn.functional.linear(vectors, weight, bias)
        return {"tanh": torch.tanh, "relu": torch.relu, "gelu": nn.functional.gelu}[self.family.activation](passed)

    @torch.no_grad()
    def set_head(self, variant: HeadVariant, weight: NDArray[Any], bias: NDArray[Any]) -> None:
        """Set both maps of the head; ``weight (classes, dimensions)`` and ``bias (classes,)`` are those of the outer.

        A shifted head has no dropout of its own: it would drop the shift as well.
        """
        if variant.inner:
            _fill(_module(self.body, self.family.inner), variant.inner["weight"], variant.inner["bias"])
            if self.family.activation != "tanh":
                self._remove_head_dropout()
        _fill(_module(self.body, self.family.outer), weight, bias)

    @torch.no_grad()
    def scale_logits(self, factor: float, probe: Callable[[], Tensor]) -> bool:
        """Multiply weight and bias of the outer map by a factor; put them back where ``probe`` says otherwise.

        Of an architecture we do not know the last linear map may not be what gives the logits, and a weight may be
        shared with another map.
        """
        outer, expected = _module(self.body, self.family.outer), probe() * factor
        kept = [(each, each.clone()) for each in (outer.weight, outer.bias) if each is not None]
        for each, value in kept:
            each.copy_(value.double() * factor)
        if torch.allclose(probe(), expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max())):
            return True
        for each, value in kept:
            each.copy_(value)
        return False

    def _remove_head_dropout(self) -> None:
        for name in ("seq_classif_dropout", "classifier_dropout", "cls_dropout"):
            if hasattr(self.body.config, name):
                setattr(self.body.config, name, 0.0)
        for place in (self.body, getattr(self.body, "classifier", None), getattr(self.body, "pooler", None)):
            dropout = getattr(place, "dropout", None)
            if dropout is not None and hasattr(dropout, "p"):
                dropout.p = 0.0


def _family(body: PreTrainedModel) -> Family:
    """Return how the head of a model is built; of an unknown one, its last linear map."""
    known = FAMILIES.get(str(body.config.model_type))
    names = {name for name, _ in body.named_modules()}
    if known is not None and {known.inner, known.outer} <= names:
        return known
    linears = [name for name, module in body.named_modules() if isinstance(module, nn.Linear)]
    return Family("", "tanh", linears[-1])


def _module(body: nn.Module, name: str) -> Any:
    return body.get_submodule(name)


def _fill(linear: Any, weight: NDArray[Any], bias: NDArray[Any]) -> None:
    linear.weight.copy_(torch.as_tensor(weight))
    if linear.bias is None:
        warnings.warn("the head has no bias to set", stacklevel=2)
    else:
        linear.bias.copy_(torch.as_tensor(bias))
