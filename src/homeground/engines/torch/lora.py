"""Low-rank adapters that learn while the body stays as it is.

An adapter changes the output of a linear map by ``alpha / r * B @ A @ x`` (Hu et al. 2022, LoRA, ICLR). Its layers and
the layout of its files are those of peft. While a model learns, peft's layers take the places of the linear maps; for
all else these are back, with the products of the adapters added to their weights: a plain model.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from homeground.errors import UsageError
from homeground.randomness import generator
from homeground.recipe.lora import LoraSettings, lora_settings

NAME = "default"
"""What peft calls an adapter without a name of its own."""


@dataclass(frozen=True)
class Adapter:
    """One adapter: the layer of peft, and the linear map whose place it takes."""

    layer: nn.Module
    linear: nn.Linear

    @property
    def a(self) -> nn.Parameter:
        """The weights ``(r, inputs)``."""
        return cast(nn.Parameter, self.layer.get_submodule(f"lora_A.{NAME}").weight)

    @property
    def b(self) -> nn.Parameter:
        """The weights ``(outputs, r)``."""
        return cast(nn.Parameter, self.layer.get_submodule(f"lora_B.{NAME}").weight)


class Adapters:
    """Adapters on the linear maps of a body, which they leave or enter as a whole.

    ``new`` are the weights that the checkpoint lacked, and learn in full; so do those of a head that ``head_learns``.
    ``text`` are the settings of the recipe. The first values follow from ``seed``.

    Raises:
        UsageError: the body has no linear maps of the names asked for.
    """

    def __init__(self, body: PreTrainedModel, text: str, *, new: frozenset[str], head_learns: bool, seed: int) -> None:
        self.settings, self._body = lora_settings(text), body
        inside = "" if body.base_model is body else f"{body.base_model_prefix}."
        names = _targets(body, inside, new, self.settings.targets)
        linears = {name: cast(nn.Linear, body.get_submodule(name)) for name in names}
        layers = _open_layers(body, names, self.settings)
        self._adapters = {name: Adapter(layers[name], linears[name]) for name in names}
        self._merged: dict[str, Tensor] = {}
        self._inserted = True
        for name, parameter in body.named_parameters():
            in_head = head_learns and not name.startswith(inside)
            if name in new or (in_head and "lora_" not in name):
                parameter.requires_grad_(True)
        for name, adapter in self._adapters.items():
            _initialise(adapter, seed, name)

    @property
    def kinds(self) -> list[str]:
        """The last parts of the names of the linear maps that have an adapter."""
        return list(dict.fromkeys(name.rpartition(".")[2] for name in self._adapters))

    def drop_unused(self) -> None:
        """Remove the adapters that do not learn, because nothing depends on their linear map."""
        self.take_out()
        self._adapters = {name: each for name, each in self._adapters.items() if each.a.requires_grad}
        self.insert()

    def insert(self) -> None:
        """Put the layers into the body, whose weights are those of the checkpoint."""
        if not self._inserted:
            self.take_out()
            for name, adapter in self._adapters.items():
                self._body.set_submodule(name, adapter.layer)
            self._inserted = True

    def take_out(self) -> None:
        """Leave the body as the checkpoint has it."""
        for name, adapter in self._adapters.items():
            if name in self._merged:
                adapter.linear.weight.data = self._merged.pop(name)
            if self._inserted:
                self._body.set_submodule(name, adapter.linear)
        self._inserted = False

    @torch.no_grad()
    def merge(self) -> None:
        """Leave the body without layers, and with their products added to its weights."""
        if self._merged:
            return
        self.take_out()
        scale = self.settings.alpha / self.settings.r
        for name, adapter in self._adapters.items():
            weight = adapter.linear.weight
            self._merged[name] = weight.data
            # In float64 the sum is rounded once, so it does not depend on how a machine multiplies.
            product = scale * (adapter.b.double() @ adapter.a.double())
            weight.data = (weight.double() + product).to(weight.dtype)

    def kept(self, weight: float = 1.0) -> KeptAdapters:
        """Return a copy of the values, as for a model between the checkpoint (0) and this one (1)."""
        tensors: dict[str, Tensor] = {}
        for name, adapter in self._adapters.items():
            tensors[f"{name}.lora_A.weight"] = adapter.a.detach().cpu().clone()
            tensors[f"{name}.lora_B.weight"] = weight * adapter.b.detach().cpu()
        full = [name for name, each in self._body.named_parameters() if each.requires_grad and "lora_" not in name]
        return KeptAdapters(self.settings, tensors, tuple(full), self._body.base_model_prefix)


@dataclass(frozen=True)
class KeptAdapters:
    """The values of adapters by name, and the names of what was trained beside them in full."""

    settings: LoraSettings
    tensors: Mapping[str, Tensor]
    in_full: Sequence[str]
    prefix: str

    def save(self, folder: Path, body: PreTrainedModel, *, task: str | None, checkpoint: str) -> None:
        """Write peft's layout, with the weights of ``body`` that were trained in full."""
        from peft import LoraConfig

        modules = tuple(dict.fromkeys(self._module(name) for name in self.in_full))
        tensors = dict(self.tensors)
        for name in modules:
            for key, value in body.get_submodule(name).state_dict().items():
                # peft wants a module whole, even what it shares with the body; a file holds nothing twice.
                tensors[f"{name}.{key}"] = value.detach().cpu().contiguous().clone()
        targets = sorted(name.removesuffix(".lora_A.weight") for name in self.tensors if name.endswith("lora_A.weight"))
        config: Any = LoraConfig(
            r=self.settings.r,
            lora_alpha=_alpha(self.settings),
            lora_dropout=self.settings.dropout,
            target_modules=targets,
            modules_to_save=list(modules) or None,
            task_type=task,
            base_model_name_or_path=checkpoint,
            inference_mode=True,
        )
        values = config.to_dict() | {"target_modules": targets}  # peft keeps them in a set, which has no order
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "adapter_config.json").write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", "utf-8")
        save_file(
            {f"base_model.model.{name}": value for name, value in tensors.items()},
            folder / "adapter_model.safetensors",
            metadata={"format": "pt"},
        )

    def _module(self, name: str) -> str:
        """Return the module that is saved for a weight: of a head the whole, of the body the smallest."""
        return name.rpartition(".")[0] if name.startswith(f"{self.prefix}.") else name.partition(".")[0]


def _targets(body: PreTrainedModel, inside: str, new: frozenset[str], asked: Sequence[str]) -> list[str]:
    """Return the names of the linear maps of the body that get an adapter; one that is new learns in full.

    Raises:
        UsageError: the body has none of a name asked for, or none at all.
    """
    names = [
        name
        for name, module in body.named_modules()
        if isinstance(module, nn.Linear) and name.startswith(inside) and f"{name}.weight" not in new
    ]
    endings = list(dict.fromkeys(name.rpartition(".")[2] for name in names))
    architecture = body.config.model_type
    if not names:
        raise UsageError(f"--lora: the {architecture} architecture has no linear maps to adapt; leave it out")
    chosen = [name for name in names if not asked or any(_ends(name, target) for target in asked)]
    for target in asked:
        if not any(_ends(name, target) for name in names):
            raise UsageError(
                f'--lora targets={"+".join(asked)}: the {architecture} architecture has no linear map "{target}"; its '
                f"linear maps are {', '.join(endings)}"
            )
    return chosen


def _ends(name: str, target: str) -> bool:
    return name == target or name.endswith(f".{target}")


def _open_layers(body: PreTrainedModel, names: Sequence[str], settings: LoraSettings) -> dict[str, nn.Module]:
    """Let peft put its layers into a body, and return them by name; nothing but they learns any more."""
    from peft import LoraConfig, inject_adapter_in_model

    config = LoraConfig(
        r=settings.r,
        lora_alpha=_alpha(settings),
        lora_dropout=settings.dropout,
        target_modules=list(names),
    )
    with torch.random.fork_rng():  # what peft draws is replaced, and nobody else's numbers are to change
        inject_adapter_in_model(config, body, adapter_name=NAME)
    if "peft_config" in vars(body):
        del body.peft_config
    return {name: body.get_submodule(name) for name in names}


def _alpha(settings: LoraSettings) -> int:
    """Return alpha as peft declares it, though it takes any number."""
    return int(settings.alpha) if settings.alpha == int(settings.alpha) else cast(int, settings.alpha)


@torch.no_grad()
def _initialise(adapter: Adapter, seed: int, name: str) -> None:
    """Set B to 0 and A as ``nn.Linear`` is, uniformly within one over the root of its inputs."""
    bound = 1 / math.sqrt(adapter.a.shape[1])
    values = generator(seed, "lora", name).uniform(-bound, bound, tuple(adapter.a.shape))
    adapter.a.copy_(torch.from_numpy(values))
    adapter.b.zero_()
