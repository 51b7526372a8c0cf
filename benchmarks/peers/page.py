"""The table and the chart of what was measured, printed and, on request, put into a page of the documentation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

BEGIN, END = "<!-- measured by: python -m benchmarks.peers -->", "<!-- end of what was measured -->"

DRAWS = 2000
"""Resamples of the held-out examples for the interval of a difference."""


def render(found: dict[str, Any], page: Path | None) -> str:
    """Return the table of what was measured; put it into a page, and the chart beside it, where one is named."""
    machine = found["machine"]
    lines = [
        f"{machine['cores']} cores with {', '.join(machine['instructions'])}; torch {machine['torch']}, transformers "
        f"{machine['transformers']}; medians of {found['rounds']} interleaved rounds, ratios to Homeground's speed.",
        "",
        "| Work | Candidate | Speed | Homeground is faster by | Peak memory | Result, against Homeground's |",
        "|---|---|---|---|---|---|",
    ]
    for row in found["rows"]:
        for number, each in enumerate(row["candidates"]):
            title = row["title"] if number == 0 else ""
            speed, peak = np.median(each["speeds"]), np.median(each["peaks_mib"])
            lines.append(
                f"| {title} | {each['name']} | {speed:,.0f} {row['noun']}/s | {_ratio(row, number)} | "
                f"{peak:,.0f} MiB | {_result(row, number)} |"
            )
    text = "\n".join(lines)
    if page is not None:
        before, rest = page.read_text(encoding="utf-8").split(BEGIN)
        page.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}", encoding="utf-8")
        chart = page.parent / "images" / f"{page.stem}.svg"
        chart.write_text(draw(found), encoding="utf-8")
    return text


def _ratios(row: dict[str, Any], number: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return, for each round, how many times as fast as a candidate ours is."""
    ours, theirs = row["candidates"][0]["speeds"], row["candidates"][number]["speeds"]
    return np.asarray(ours, np.float64) / np.asarray(theirs, np.float64)


def _ratio(row: dict[str, Any], number: int) -> str:
    if number == 0:
        return ""
    ratios = _ratios(row, number)
    return f"{np.median(ratios):.2f} ({ratios.min():.2f} to {ratios.max():.2f})"


def compared(ours: list[Any], theirs: list[Any], *, predicted: bool) -> dict[str, Any]:
    """Return the share of equal predictions, or the mean score and ours minus it with the ends of its interval."""
    if predicted:
        return {"equal": _equal(ours, theirs)}
    return {
        "score": float(np.mean(theirs)),
        "ours_minus_it": [float(np.mean(ours) - np.mean(theirs)), *difference(ours, theirs)],
    }


def _result(row: dict[str, Any], number: int) -> str:
    """Return the mean score, or the share of equal predictions, and whether ours is worse beyond chance."""
    candidate = row["candidates"][number]
    if "equal" in candidate:
        return "" if number == 0 else f"{candidate['equal']:.1%} the same"
    if number == 0:
        return f"{candidate['score']:.3f}"
    value, low, high = candidate["ours_minus_it"]
    verdict = ", **ours is worse: does not count**" if high < 0 else ""
    return f"{candidate['score']:.3f}, ours {value:+.3f} ({low:+.3f} to {high:+.3f}){verdict}"


def _equal(ours: list[Any], theirs: list[Any]) -> float:
    """Return how many predictions are the same: labels, or embeddings of the same direction to 1e-5."""
    if isinstance(ours[0], str):
        return float(np.mean([one == other for one, other in zip(ours, theirs, strict=True)]))
    one, other = (np.asarray(each, np.float64) for each in (ours, theirs))
    cosine = (one * other).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)
    return float((cosine > 1 - 1e-5).mean())


def difference(ours: list[float], theirs: list[float]) -> tuple[float, float]:
    """Return the 95% percentile interval of the mean paired difference over resampled examples."""
    differences = np.asarray(ours) - np.asarray(theirs)
    random = np.random.default_rng(0)
    drawn = [differences[random.integers(0, len(differences), len(differences))].mean() for _ in range(DRAWS)]
    low, high = np.quantile(drawn, (0.025, 0.975))
    return float(low), float(high)


def draw(found: dict[str, Any]) -> str:
    """Return a chart: for each peer, how many times as fast ours is, with the range over the rounds."""
    bars = [
        (row["title"], each["name"], _ratios(row, number))
        for row in found["rows"]
        for number, each in enumerate(row["candidates"])
        if number and not each["name"].startswith("Homeground")
    ]
    longest = max(1.0, *(float(ratios.max()) for _, _, ratios in bars))
    scale, top, parts, last = 420 / longest, 30, [], ""
    for title, name, ratios in bars:
        if title != last:
            top += 14
            parts.append(f'<text x="10" y="{top}" class="title">{title}</text>')
            top, last = top + 8, title
        median = float(np.median(ratios))
        parts.append(
            f'<text x="230" y="{top + 13}" text-anchor="end">{name}</text>'
            f'<rect x="240" y="{top}" width="{median * scale:.1f}" height="18" rx="2"/>'
            f'<line x1="{240 + ratios.min() * scale:.1f}" x2="{240 + ratios.max() * scale:.1f}" y1="{top + 9}" '
            f'y2="{top + 9}"/><text x="{248 + ratios.max() * scale:.1f}" y="{top + 13}">{median:.1f}x</text>'
        )
        top += 26
    one = f'<line x1="{240 + scale:.1f}" x2="{240 + scale:.1f}" y1="24" y2="{top}" class="one"/>'
    style = (
        "text{font:13px sans-serif;fill:#24292f}.title{font-weight:600}rect{fill:#2f6f9f}"
        "line{stroke:#12344d;stroke-width:2}.one{stroke:#999;stroke-width:1;stroke-dasharray:4 3}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 740 {top + 10}" role="img">'
        f"<title>How many times as fast Homeground is</title><style>{style}</style>"
        f'<rect width="740" height="{top + 10}" style="fill:#fff"/>'
        f'<text x="10" y="18">Times as fast as each peer (dashed: as fast)</text>{one}{"".join(parts)}</svg>\n'
    )
