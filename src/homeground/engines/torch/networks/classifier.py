"""A sequence classifier as transformers builds it, and its head: all that follows the last hidden state."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from homeground.checkpoint import Checkpoint
from homeground.engines.classifier_head import (
    FAMILIES,
    HEAD_DROPOUT_SETTINGS,
    Family,
    Floats,
    head_variants,
    label_settings,
    pass_inner,
)
from homeground.engines.model import Batch, HeadVariant, Outputs
from homeground.engines.torch.networks.encoder import TorchHead
from homeground.engines.torch.networks.network import Network, Tensors
from homeground.engines.torch.networks.pooling import Pooler, pool


class ClassifierNetwork(Network):
    """A sequence classifier; its pooler makes embeddings of its body, for measures that need them."""

    auto_class = AutoModelForSequenceClassification
    output = "logits"
    head_learns = True
    peft_task = "SEQ_CLS"

    def __init__(self, body: PreTrainedModel, pooler: Pooler, *, new: frozenset[str] = frozenset()) -> None:
        super().__init__(body, pooler, new=new)
        forward = inspect.signature(body.forward).parameters
        types = int(getattr(body.config, "type_vocab_size", 0) or 0)
        self._takes_types = "token_type_ids" in forward and types > 1

    @classmethod
    def head_settings(
        cls, checkpoint: Checkpoint, labels: Sequence[str], loss: str | None
    ) -> tuple[dict[str, object], bool]:
        """Return labels and problem type, and whether they differ from those of the checkpoint."""
        return label_settings(checkpoint, labels, loss)

    def forward(self, batch: Tensors) -> Tensor:
        """Return logits ``(items, classes)`` in float32 of token ids ``(items, length)``."""
        names = ("input_ids", "attention_mask", *(("token_type_ids",) if self._takes_types else ()))
        return self.body(**{name: batch[name] for name in names if name in batch}).logits.float()

    def make_head(self) -> TorchClassifierHead:
        """Return the head as two linear maps."""
        return TorchClassifierHead(self)


class TorchClassifierHead(TorchHead):
    """The head of a classifier: an inner map, which some architectures lack, an activation, and an outer map."""

    def __init__(self, network: Network) -> None:
        super().__init__(network)
        self._body = network.body
        self._family = _family(network.body)
        body = network.body.base_model_prefix + "."
        parts = tuple(f"{part}." for part in (self._family.inner, self._family.outer) if part)
        self.is_new = any(name.startswith(parts) or not name.startswith(body) for name in network.new)
        """Whether the checkpoint had no head for exactly these labels, or only a part of one."""

    def features(self, batch: Batch) -> Outputs:
        """Return what enters the head, ``(items, dimensions)``, and the mean of the tokens' last hidden states."""
        return self._network.measure(self._features, batch)

    def _features(self, batch: Tensors) -> dict[str, Tensor]:
        captured: dict[str, Tensor] = {}
        first = linear(self._body, self._family.inner or self._family.outer)
        hooks = [
            first.register_forward_pre_hook(lambda _, inputs: captured.update(head=inputs[0])),
            self._body.base_model.register_forward_hook(
                lambda _module, _inputs, outputs: captured.update(hidden=outputs[0])
            ),
        ]
        try:
            self._network(batch)
        finally:
            for hook in hooks:
                hook.remove()
        mask = batch["attention_mask"]
        return {"head": captured["head"].float(), "mean": pool(captured["hidden"], mask, "mean")}

    def variants(self, vectors: Floats) -> list[HeadVariant]:
        """Return the ways to set the inner map, for vectors ``(items, dimensions)`` of the training examples."""
        inner = f"{self._family.inner}.weight"
        return head_variants(vectors, self._family, has_inner=inner not in self._network.new)

    @torch.no_grad()
    def variant_features(self, vectors: Floats, variant: HeadVariant) -> Floats:
        """Return the input of the outer map, ``(items, dimensions)``, for vectors that enter the head."""
        if not self._family.inner:
            return vectors
        inner = {
            name: value.cpu().numpy() for name, value in linear(self._body, self._family.inner).state_dict().items()
        }
        inner = {**inner, **variant.inner}
        return pass_inner(vectors, inner["weight"], inner["bias"], self._family.activation)

    @torch.no_grad()
    def set(self, variant: HeadVariant, weight: NDArray[np.float64], bias: NDArray[np.float64]) -> None:
        """Set both maps of the head; ``weight (classes, dimensions)`` and ``bias (classes,)`` are those of the outer.

        The dropout of a shifted head is removed: it would drop the shift as well.
        """
        if variant.inner:
            _fill(linear(self._body, self._family.inner), variant.inner["weight"], variant.inner["bias"])
            if self._family.activation != "tanh":
                self._remove_head_dropout()
        _fill(linear(self._body, self._family.outer), weight, bias)

    @torch.inference_mode()
    def scale_logits(self, factor: float) -> bool:
        """Multiply weight and bias of the outer map by a factor; undo it where the logits of a probe do not follow.

        In an unknown architecture the last linear map may not give the logits, and a weight may be shared with another
        map.
        """
        self._network.eval()
        outer, expected = linear(self._body, self._family.outer), self._network.probe() * factor
        originals = [(each, each.clone()) for each in outer.parameters()]
        for each, value in originals:
            each.copy_(value.double() * factor)
        if torch.allclose(self._network.probe(), expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max())):
            return True
        for each, value in originals:
            each.copy_(value)
        return False

    def _remove_head_dropout(self) -> None:
        for name in HEAD_DROPOUT_SETTINGS:
            if hasattr(self._body.config, name):
                setattr(self._body.config, name, 0.0)
        for module in (self._body, getattr(self._body, "classifier", None), getattr(self._body, "pooler", None)):
            dropout = getattr(module, "dropout", None)
            if dropout is not None and hasattr(dropout, "p"):
                dropout.p = 0.0


def _family(body: PreTrainedModel) -> Family:
    """Return the structure of the head of a model; in an unknown architecture, its last linear map."""
    family = FAMILIES.get(str(body.config.model_type))
    names = {name for name, _ in body.named_modules()}
    if family is not None and {family.inner, family.outer} <= names:
        return family
    linears = [name for name, module in body.named_modules() if isinstance(module, nn.Linear)]
    # Some architectures list their head before their body.
    outside = [name for name in linears if not name.startswith(f"{body.base_model_prefix}.")]
    return Family("", "tanh", (outside or linears)[-1])


def linear(body: nn.Module, name: str) -> nn.Linear:
    """Return a linear map of a model by its name."""
    return cast(nn.Linear, body.get_submodule(name))


def _fill(linear: nn.Linear, weight: NDArray[np.floating], bias: NDArray[np.floating]) -> None:
    linear.weight.copy_(torch.as_tensor(weight))
    if "bias" in dict(linear.named_parameters()):
        linear.bias.copy_(torch.as_tensor(bias))
    else:
        warnings.warn("the head has no bias to set", stacklevel=2)
