from __future__ import annotations

from typing import Any

import pytest

from homeground.statistics.holm import judge_together


def judging(**chances: float) -> Any:
    """Return a judge who calls an effect what has a smaller chance than the level leaves."""

    def judge(name: str, level: float) -> dict[str, Any]:
        return {"verdict": "HELPED" if chances[name] <= 1 - level else "NO EVIDENCE", "level": level}

    return judge


@pytest.mark.parametrize(
    ("chances", "shown"),
    [
        ({"a": 0.01, "b": 0.02, "c": 0.04}, "abc"),
        ({"a": 0.04, "b": 0.04, "c": 0.04}, ""),
        ({"a": 0.001, "b": 0.03, "c": 0.03}, "a"),
        ({"a": 0.03, "b": 0.9, "c": 0.001}, "c"),
        ({"a": 0.02, "b": 0.9, "c": 0.001}, "ac"),
        ({"a": 0.05}, "a"),
    ],
)
def test_the_effects_are_those_of_holms_procedure(chances: dict[str, float], shown: str) -> None:
    found = judge_together(list(chances), judging(**chances), lambda each: each["verdict"])
    assert list(found) == list(chances)
    assert "".join(name for name, each in found.items() if each["verdict"] == "HELPED") == shown


def test_each_comparison_says_the_level_it_was_judged_at() -> None:
    judge = judging(a=0.9, b=0.001, c=0.8)
    found = judge_together(["a", "b", "c"], judge, lambda each: each["verdict"])
    assert {name: round(1 - each["level"], 4) for name, each in found.items()} == {"a": 0.025, "b": 0.0167, "c": 0.025}
