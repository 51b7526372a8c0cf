"""The colours of values: scales that stay readable in light and dark, and the contrast of text on them."""

from __future__ import annotations

from dataclasses import dataclass

Colour = tuple[float, float, float]
_SEQUENTIAL: list[Colour] = [
    (247, 245, 236),
    (206, 224, 216),
    (134, 183, 190),
    (64, 128, 160),
    (24, 71, 118),
    (12, 34, 74),
]
_DIVERGING: list[Colour] = [(133, 58, 18), (209, 136, 84), (244, 240, 233), (106, 158, 201), (22, 76, 132)]


@dataclass(frozen=True)
class Shade:
    """The colour of a cell, and the black or white that can be read on it."""

    background: str
    ink: str


def sequential(fraction: float) -> Shade:
    """Return the colour for a place between 0 (pale) and 1 (deep)."""
    return _shade(_SEQUENTIAL, fraction)


def diverging(fraction: float) -> Shade:
    """Return the colour for a place between -1 (brown, less) and 1 (blue, more); 0 is nearly white."""
    return _shade(_DIVERGING, (fraction + 1) / 2)


def _shade(stops: list[Colour], fraction: float) -> Shade:
    place = min(max(fraction, 0.0), 1.0) * (len(stops) - 1)
    first = min(int(place), len(stops) - 2)
    mix = place - first
    colour = [round(a + (b - a) * mix) for a, b in zip(stops[first], stops[first + 1], strict=True)]
    background = "#" + "".join(f"{part:02x}" for part in colour)
    ink = "#ffffff" if contrast(background, "#ffffff") > contrast(background, "#000000") else "#000000"
    return Shade(background, ink)


def contrast(first: str, second: str) -> float:
    """Return the contrast ratio of two colours, from 1 to 21 (WCAG 2.2, relative luminance).

    >>> round(contrast("#000000", "#ffffff"))
    21
    """
    lighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
