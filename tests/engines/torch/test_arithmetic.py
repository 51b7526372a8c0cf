"""Operations of a step, beside torch's own counter and counted by hand."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from homeground.engines.torch.arithmetic import CountedOperations, matrix_peak
from homeground.engines.torch.dropout import keyed_dropout

QUERIES = (2, 3, 5, 4)
"""Items, heads, tokens, dimensions of a head."""

ONE_PRODUCT = 2 * 2 * 3 * 5 * 5 * 4
"""Operations of the scores of all keys for all queries, a multiply-add being two."""


def test_linear_maps_have_as_many_operations_as_torch_counts() -> None:
    network = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
    inputs = torch.randn(4, 5, 6)
    with FlopCounterMode(display=False) as theirs:
        network(inputs).sum().backward()
    with CountedOperations() as ours:
        network(inputs)
    assert ours.count == theirs.get_total_flops() > 0


def test_a_factor_that_stays_as_it_is_needs_no_gradient() -> None:
    network = nn.Linear(6, 8).requires_grad_(False)
    with CountedOperations() as frozen:
        network(torch.randn(4, 6))
    assert frozen.count == 2 * 4 * 6 * 8


def test_attention_has_two_products_and_two_gradients_of_each_with_dropped_weights_and_without() -> None:
    query, key, value = (torch.randn(QUERIES, requires_grad=True) for _ in range(3))
    with CountedOperations() as whole:
        functional.scaled_dot_product_attention(query, key, value)
    with CountedOperations() as dropped, keyed_dropout(0, torch.device("cpu")):
        functional.scaled_dot_product_attention(query, key, value, dropout_p=0.1)
    assert whole.count == dropped.count == 2 * ONE_PRODUCT * 3


def test_a_processor_multiplies_matrices_at_some_speed() -> None:
    assert 1e8 < matrix_peak("fp32", "cpu", 1) < 1e14
