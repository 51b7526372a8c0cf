"""A sequence classifier as transformers builds it, and its head: all that follows the last hidden state.

The head must be fitted before a model is compared, and be saved in the layout of transformers. So it is treated as two
linear maps with an activation between them: ``inner`` takes the vector of the first token, ``outer`` gives the logits.
With suitable weights ``inner`` passes its vector through (nearly) unchanged, and ``outer`` is then a logistic
regression on the vectors of the checkpoint.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from homeground.checkpoint import Checkpoint, classes_of
from homeground.engines.model import Batch, HeadVariant, Outputs
from homeground.engines.torch.encoder import TorchHead
from homeground.engines.torch.model import Network, Tensors
from homeground.engines.torch.pooling import Pooler, pool

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Family:
    """The structure of an architecture's head: the names of its two linear maps and the activation between them.

    ``inner`` is empty where only the outer map is fitted.
    """

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
"""By model type. Of other architectures only the last linear map is fitted, on the output of the rest of the head."""

TANH_INPUT_RMS = (0.25, 1.0)
"""Root mean square deviations from the mean that vectors are scaled to before tanh: nearly linear, and saturating."""

SHIFT_MARGIN_RMS = 1.0
"""How far above 0 the smallest training value is shifted, so that relu and gelu pass every value unchanged, in root
mean square deviations of the vectors from their mean."""


class ClassifierNetwork(Network):
    """A sequence classifier; its pooler makes embeddings of its body, for measures that need them."""

    auto_class = AutoModelForSequenceClassification
    output = "logits"

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
        classes = classes_of(checkpoint)
        names = list(labels) or classes
        settings: dict[str, object] = {
            "id2label": dict(enumerate(names)),
            "label2id": {name: index for index, name in enumerate(names)},
        }
        if loss:
            multi_label = loss == "binary_cross_entropy"
            settings["problem_type"] = "multi_label_classification" if multi_label else "single_label_classification"
        before = checkpoint.config.get("problem_type") or "single_label_classification"
        return settings, classes != names or before != settings.get("problem_type", before)

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
        inner = self._family.inner
        if not inner:
            return [HeadVariant("as the architecture has it", {})]
        mean = vectors.mean(0)
        spread = float(np.sqrt(np.mean(np.square(vectors - mean, dtype=np.float64)))) or 1.0
        identity = np.eye(vectors.shape[1], dtype=np.float32)
        variants: list[HeadVariant] = []
        if f"{inner}.weight" not in self._network.new:
            variants.append(HeadVariant("the checkpoint's own pooler", {}))
        if self._family.activation == "tanh":
            for rms in TANH_INPUT_RMS:
                scale = np.float32(rms / spread)
                name = f"first token, scaled by {scale:.3g}"
                variants.append(HeadVariant(name, {"weight": identity * scale, "bias": -scale * mean}))
        else:
            shift = np.maximum(-vectors.min(0), 0) + np.float32(SHIFT_MARGIN_RMS * spread)
            variants.append(HeadVariant("first token", {"weight": identity, "bias": shift}))
        return variants

    @torch.no_grad()
    def variant_features(self, vectors: Floats, variant: HeadVariant) -> Floats:
        """Return the input of the outer map, ``(items, dimensions)``, for vectors that enter the head."""
        device = self._body.device
        inputs = torch.from_numpy(np.ascontiguousarray(vectors)).to(device)
        if not self._family.inner:
            return inputs.cpu().numpy()
        inner = linear(self._body, self._family.inner)
        weight = torch.as_tensor(variant.inner.get("weight", inner.weight), device=device)
        bias = torch.as_tensor(variant.inner.get("bias", inner.bias), device=device)
        activation = {"tanh": torch.tanh, "relu": torch.relu, "gelu": nn.functional.gelu}[self._family.activation]
        return activation(nn.functional.linear(inputs, weight, bias)).cpu().numpy()

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
        for name in ("seq_classif_dropout", "classifier_dropout", "cls_dropout"):
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
