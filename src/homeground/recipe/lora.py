"""The settings of low-rank adapters, written as one text: ``r=16,alpha=32,dropout=0.1,targets=query+value``."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from homeground.errors import UsageError

INSTALL = "pip install 'homeground[lora]'"

EXAMPLE = "r=16,alpha=32,dropout=0.1,targets=query+value"
"""All that can be set."""

ALPHA_PER_RANK = 2
"""alpha where it is not set, as a multiple of r, so that the scale alpha / r does not depend on r."""

LEARNING_RATE_FACTOR = 10
"""How much larger the usual learning rates are than those of full fine-tuning."""

EVERY_TARGET = "all-linear"
"""The word for every linear map of the body."""


@dataclass(frozen=True, slots=True)
class LoraSettings:
    """Adapters of rank ``r`` on linear maps, whose output they change by ``alpha / r`` times what they compute.

    ``dropout`` is that of their input. ``targets`` are the last parts of the names of the linear maps, such as
    ``query``; empty for every linear map of the body.
    """

    r: int
    alpha: float
    dropout: float = 0.0
    targets: tuple[str, ...] = ()

    def __str__(self) -> str:
        targets = "+".join(self.targets) or EVERY_TARGET
        return f"r={self.r},alpha={_plain(self.alpha)},dropout={_plain(self.dropout)},targets={targets}"


def lora_settings(text: str) -> LoraSettings:
    """Return the settings that a text names, with the usual values for all but ``r``, which may stand alone.

    >>> str(lora_settings("r=8,targets=query+value"))
    'r=8,alpha=16,dropout=0,targets=query+value'

    Raises:
        ValueError: it is none; the message says what would be right.
    """
    values: dict[str, str] = {}
    text = f"r={text}" if text.strip().isdecimal() else text
    for part in text.split(","):
        name, equals, value = (each.strip() for each in part.partition("="))
        if not equals or name not in ("r", "alpha", "dropout", "targets") or name in values:
            raise ValueError(f"names with their values, such as {EXAMPLE}")
        values[name] = value
    r = _number(values.get("r", ""), "r of 1 or more, such as r=16", lambda r: r >= 1 and r.is_integer())
    alpha, dropout = values.get("alpha", str(ALPHA_PER_RANK * r)), values.get("dropout", "0")
    targets = tuple(dict.fromkeys(each.strip() for each in values.get("targets", EVERY_TARGET).split("+")))
    if not all(targets):
        raise ValueError("targets with + between them, such as targets=query+value")
    return LoraSettings(
        r=int(r),
        alpha=_number(alpha, "alpha above 0, such as alpha=32", lambda alpha: 0 < alpha < math.inf),
        dropout=_number(dropout, "dropout of 0 to below 1, such as dropout=0.1", lambda dropout: 0 <= dropout < 1),
        targets=() if targets == (EVERY_TARGET,) else targets,
    )


def _plain(value: float) -> str:
    """Return a number with all its digits, a whole one without a point."""
    return str(int(value)) if value == int(value) else repr(value)


def require_peft() -> None:
    """Raise UsageError where the library that computes adapters is not installed."""
    if importlib.util.find_spec("peft") is None:
        raise UsageError(f"--lora is computed with peft, which is not installed; install it: {INSTALL}")


def as_lora_text(value: object) -> object:
    """Return the whole text of what was given: a text, r alone, or a mapping; anything else as it is.

    Raises:
        ValueError: it names no adapters; the message says what would be right.
    """
    if isinstance(value, Mapping):
        pairs = cast(Mapping[str, Any], value).items()
        value = ",".join(f"{name}={'+'.join(each) if isinstance(each, list | tuple) else each}" for name, each in pairs)
    elif isinstance(value, int) and not isinstance(value, bool):
        value = f"r={value}"
    return str(lora_settings(value)) if isinstance(value, str) else value


def _number(text: str, expected: str, fits: Callable[[float], bool]) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not fits(number):
        raise ValueError(expected)
    return number
