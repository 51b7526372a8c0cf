"""Adam and AdamW are torch's plain ones, clipping is torch's and Keras', and the state comes back to the bit."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from homeground.engines.torch.optimizer import Named, clip, open_optimizer, optimizer_tensors, restore_optimizer
from homeground.recipe.sections import TrainingSettings


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 7), nn.LayerNorm(7), nn.Linear(7, 3, bias=False))


def give_gradients(model: nn.Module, seed: int, scale: float = 1.0) -> None:
    random = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.grad = scale * torch.randn(parameter.shape, generator=random)


def gradients(model: nn.Module) -> list[Tensor]:
    return [parameter.grad for parameter in model.parameters() if parameter.grad is not None]


def learn(optimizer: torch.optim.Optimizer, model: nn.Module, steps: range) -> None:
    for step in steps:
        give_gradients(model, step)
        for group in optimizer.param_groups:
            group["lr"] = 0.01 / (1 + step)
        optimizer.step()


def values(model: nn.Module) -> list[Tensor]:
    return [parameter.detach() for parameter in model.parameters()]


SETTINGS = {"adam_beta1": 0.8, "adam_beta2": 0.99, "adam_epsilon": 1e-6}


def test_adamw_is_torchs_plain_adamw_with_biases_and_norms_left_undecayed() -> None:
    ours = network()
    theirs = copy.deepcopy(ours)
    training = TrainingSettings(optimizer="adamw", weight_decay=0.3, **SETTINGS)
    learn(open_optimizer(list(ours.named_parameters()), training), ours, range(20))
    decayed = [theirs[0].weight, theirs[2].weight]
    undecayed = [theirs[0].bias, theirs[1].weight, theirs[1].bias]
    groups = [{"params": decayed, "weight_decay": 0.3}, {"params": undecayed, "weight_decay": 0.0}]
    plain: dict[str, Any] = {"betas": (0.8, 0.99), "eps": 1e-6, "fused": False, "foreach": False}
    learn(torch.optim.AdamW(groups, **plain), theirs, range(20))
    for left, right in zip(values(ours), values(theirs), strict=True):
        torch.testing.assert_close(left, right, rtol=1e-6, atol=1e-6)


def test_adam_is_torchs_plain_adam_without_any_decay() -> None:
    ours = network()
    theirs = copy.deepcopy(ours)
    learn(
        open_optimizer(list(ours.named_parameters()), TrainingSettings(optimizer="adam", **SETTINGS)), ours, range(20)
    )
    plain = torch.optim.Adam(theirs.parameters(), betas=(0.8, 0.99), eps=1e-6, fused=False, foreach=False)
    learn(plain, theirs, range(20))
    for left, right in zip(values(ours), values(theirs), strict=True):
        torch.testing.assert_close(left, right, rtol=1e-6, atol=1e-6)


def test_one_step_of_adamw_by_hand() -> None:
    weight = nn.Parameter(torch.tensor([[1.0]]))
    optimizer = open_optimizer([("weight", weight)], TrainingSettings(weight_decay=0.1))
    weight.grad = torch.tensor([[0.5]])
    optimizer.param_groups[0]["lr"] = 0.01
    optimizer.step()
    # Corrected for their start both means are the gradient's own, so the step is the rate whatever the gradient is.
    assert weight.item() == pytest.approx(1 - 0.01 * 0.1 * 1 - 0.01 * 0.5 / (0.5 + 1e-8), rel=1e-6)


@pytest.mark.parametrize("norm", [0.1, 1e6])
def test_clipping_is_torchs_by_the_global_norm(norm: float) -> None:
    ours, theirs = network(), network()
    give_gradients(ours, 3, scale=5)
    give_gradients(theirs, 3, scale=5)
    before = clip(gradients(ours), norm=norm, norm_per_weight=None)
    expected = nn.utils.clip_grad_norm_(theirs.parameters(), norm)
    assert before == float(expected)
    for left, right in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert left.grad is not None
        assert torch.equal(left.grad, right.grad)


def test_clipping_per_weight_is_keras_clipnorm() -> None:
    ours, theirs = network(), network()
    give_gradients(ours, 3)
    give_gradients(theirs, 3)
    before = clip(gradients(ours), norm=None, norm_per_weight=2.0)
    squares = 0.0
    for left, right in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert left.grad is not None
        assert right.grad is not None
        norm = float(right.grad.square().sum().sqrt())
        squares += norm**2
        # Keras: gradient * clipnorm / max(norm, clipnorm), one weight at a time.
        torch.testing.assert_close(left.grad, right.grad * 2.0 / max(norm, 2.0), rtol=2e-6, atol=1e-7)
    assert before == pytest.approx(squares**0.5, rel=1e-6)


def test_nothing_is_clipped_when_neither_is_asked_for() -> None:
    model = network()
    give_gradients(model, 3, scale=100)
    before = [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]
    clip(gradients(model), norm=None, norm_per_weight=None)
    for parameter, gradient in zip(model.parameters(), before, strict=True):
        assert torch.equal(parameter.grad, gradient)


@pytest.mark.parametrize("kind", ["adamw", "adam"])
def test_the_state_goes_through_a_file_bit_for_bit(kind: str) -> None:
    training = TrainingSettings(optimizer=kind)  # type: ignore[arg-type]
    unbroken = network()
    learn(open_optimizer(list(unbroken.named_parameters()), training), unbroken, range(9))

    first = network()
    optimizer = open_optimizer(list(first.named_parameters()), training)
    learn(optimizer, first, range(5))
    written = save(optimizer_tensors(optimizer, list(first.named_parameters())))

    second = copy.deepcopy(first)
    named: Named = list(second.named_parameters())
    optimizer = open_optimizer(named, training)
    learn(optimizer, copy.deepcopy(second), range(2))  # a state of its own, which must go
    restore_optimizer(optimizer, named, load(written))
    assert save(optimizer_tensors(optimizer, named)) == written
    learn(optimizer, second, range(5, 9))
    for left, right in zip(values(second), values(unbroken), strict=True):
        assert torch.equal(left, right)


def test_a_state_of_nothing_takes_the_place_of_any_other() -> None:
    model = network()
    named: Named = list(model.named_parameters())
    optimizer = open_optimizer(named, TrainingSettings())
    learn(optimizer, model, range(2))
    restore_optimizer(optimizer, named, {})
    assert optimizer_tensors(optimizer, named) == {}
