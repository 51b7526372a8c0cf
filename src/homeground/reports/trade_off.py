"""The chart of a trade-off: what is gained against what is lost, point by point, with intervals both ways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from homeground.reports.charts import labelled, padded, ticks


@dataclass(frozen=True)
class Trade:
    """One dot of a trade-off with its intervals, as ends of a horizontal and a vertical line."""

    x: float
    y: float
    x_low: float
    x_high: float
    y_low: float
    y_high: float
    label: str
    chosen: bool


@dataclass(frozen=True)
class TradeOffChart:
    """What is gained (upwards) against what is lost (to the left); coordinates in a box of ``width`` by ``height``."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    path: str
    trades: tuple[Trade, ...]
    limit: float | None


@dataclass(frozen=True)
class Gain:
    """A point of a trade-off: its label, and the changes to the right and upwards as value, low and high."""

    label: str
    across: tuple[float, float, float]
    up: tuple[float, float, float]
    chosen: bool = False


def trade_off_chart(gains: Sequence[Gain], *, limit: float | None = None) -> TradeOffChart:
    """Return the chart of several points in the order of their path; ``limit`` marks a change to the right."""
    width, height, left, right, top, bottom = 520, 320, 58, 508, 14, 276
    across = [value for gain in gains for value in gain.across] + ([] if limit is None else [limit])
    x_low, x_high = padded(min(across), max(across))
    y_low, y_high = padded(*(end(value for gain in gains for value in gain.up) for end in (min, max)))

    def x(value: float) -> float:
        return round(left + (right - left) * (value - x_low) / (x_high - x_low), 1)

    def y(value: float) -> float:
        return round(bottom - (bottom - top) * (value - y_low) / (y_high - y_low), 1)

    trades = tuple(
        Trade(
            x(gain.across[0]), y(gain.up[0]), x(gain.across[1]), x(gain.across[2]), y(gain.up[1]), y(gain.up[2]),
            gain.label, gain.chosen,
        )
        for gain in gains
    )  # fmt: skip
    return TradeOffChart(
        width, height, left, right, top, bottom,
        x_ticks=tuple((x(mark), text) for mark, text in labelled(ticks(x_low, x_high))),
        y_ticks=tuple((y(mark), text) for mark, text in labelled(ticks(y_low, y_high))),
        path=" ".join(f"{trade.x},{trade.y}" for trade in trades),
        trades=trades,
        limit=None if limit is None else x(limit),
    )  # fmt: skip
