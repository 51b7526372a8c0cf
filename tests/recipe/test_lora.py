"""The settings of adapters as a text, a number or a mapping."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from homeground.errors import UsageError
from homeground.recipe.recipe import make_recipe


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("r=16", "r=16,alpha=32,dropout=0,targets=all-linear"),
        ("16", "r=16,alpha=32,dropout=0,targets=all-linear"),
        (16, "r=16,alpha=32,dropout=0,targets=all-linear"),
        (" r = 8 , targets = query + value ", "r=8,alpha=16,dropout=0,targets=query+value"),
        ({"r": 8, "alpha": 1.5, "targets": ["query", "value"]}, "r=8,alpha=1.5,dropout=0,targets=query+value"),
        ("r=4,dropout=0.1,targets=all-linear", "r=4,alpha=8,dropout=0.1,targets=all-linear"),
        ("r=1234567,dropout=0.12345678", "r=1234567,alpha=2469134,dropout=0.12345678,targets=all-linear"),
        ("none", None),
        (None, None),
    ],
)
def test_adapters_are_named_in_one_way(given: Any, text: str | None) -> None:
    recipe = make_recipe({}, data="a.csv", lora=given)
    assert recipe.training.lora == text
    again = make_recipe(tomllib.loads(recipe.to_toml()))
    assert again.training.lora == text


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("16%", "names with their values, such as r=16,alpha=32"),
        ("r=16,rank=3", "names with their values"),
        ("r=16,r=3", "names with their values"),
        ("alpha=3", "r of 1 or more"),
        ("r=0", "r of 1 or more"),
        ("r=2.5", "r of 1 or more"),
        ("r=inf", "r of 1 or more"),
        ("r=many", "r of 1 or more"),
        ("r=4,alpha=0", "alpha above 0"),
        ("r=4,alpha=nan", "alpha above 0"),
        ("r=4,dropout=1", "dropout of 0 to below 1"),
        ("r=4,targets=query+", "targets with"),
        (True, "a text"),
    ],
)
def test_what_names_no_adapters_is_refused(given: Any, expected: str) -> None:
    with pytest.raises(UsageError, match=rf"--lora \(recipe: training.lora\): got .*; expected .*{expected}"):
        make_recipe({}, data="a.csv", lora=given)


def test_learning_rates_are_ten_times_as_large_unless_they_are_set() -> None:
    defaults = {"training": {"learning_rate": 5e-5}}
    adapted = make_recipe({}, data="a.csv", lora="r=4").for_task("classification", defaults)
    assert adapted.training.learning_rate == pytest.approx(5e-4)
    assert adapted.search.search_rates == pytest.approx((1e-4, 3e-3))
    assert adapted.for_task("classification", defaults).training.learning_rate == pytest.approx(5e-4)
    chosen = make_recipe({}, data="a.csv", lora="r=4", learning_rate=1e-5, search_rates=(1e-6, 1e-5))
    chosen = chosen.for_task("classification", defaults)
    assert (chosen.training.learning_rate, chosen.search.search_rates) == (1e-5, (1e-6, 1e-5))
