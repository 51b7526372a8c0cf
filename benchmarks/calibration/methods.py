"""Other intervals on the same test sets, to choose by coverage: python -m benchmarks.calibration.methods.

percentile   the library's: percentiles of the draws, widened over few units
t            Student's, from the influence of every unit
BCa          percentiles corrected for bias and acceleration (Efron 1987), widened alike
bootstrap t  each draw over its library standard error, from the influences (Hall 1988)
"""

from __future__ import annotations

import argparse

import numpy as np
from benchmarks.calibration.__main__ import WORLDS
from benchmarks.calibration.designs import DESIGNS, Design
from benchmarks.calibration.worlds import Floats, Sample, Scored
from scipy.special import ndtr, ndtri, stdtrit
from scipy.stats import norm

from homeground.randomness import generator
from homeground.statistics.bootstrap import differences, influence
from homeground.statistics.resampling import draw_weights

METHODS = ("percentile", "t", "BCa", "bootstrap t")
TAIL = 0.025


def intervals(sample: Sample, design: Design, scored: Scored, *, seed: int, draws: int) -> Floats:
    """Return the ends of every method, shape ``(methods, 2, sets)``; designs without crossed pairs only."""
    layout, sign = design.layout, 1.0 if scored.greater_is_better else -1.0
    before, after = (side[..., : scored.width] for side in (sample.before, sample.after))
    library = differences(
        layout, before, after, [scored.metric], seed=seed, draws=draws, greater_is_better=[scored.greater_is_better]
    )[0]
    value = np.array([interval.value for interval in library])
    ends = np.empty((len(METHODS), 2, len(value)))
    ends[0] = [interval.low for interval in library], [interval.high for interval in library]
    weights = np.concatenate(list(draw_weights(layout, draws, generator(seed, "bootstrap"))))
    moves = sign * influence(before, after, scored.metric)
    units, wide = layout.units, np.array([interval.widened_by for interval in library])
    error = np.sqrt(np.sum(moves**2, axis=1) * units / (units - 1))
    reach = stdtrit([interval.effective_units - 1 for interval in library], 1 - TAIL) * error
    ends[1] = value - reach, value + reach
    drawn = sign * np.stack(
        [_change(scored, weights, one, other) for one, other in zip(before, after, strict=True)], axis=1
    )
    ends[2] = _corrected(drawn, value, moves, wide)
    spread = np.sqrt(
        np.maximum(weights @ (moves**2).T - (weights @ moves.T) ** 2 / units, 1e-300) * units / (units - 1)
    )
    ratio = (drawn - value) / spread
    ends[3] = (
        value - np.nanquantile(ratio, 1 - TAIL, axis=0) * error,
        value - np.nanquantile(ratio, TAIL, axis=0) * error,
    )
    return ends


def _change(scored: Scored, weights: Floats, before: Floats, after: Floats) -> Floats:
    return scored.metric(weights @ after) - scored.metric(weights @ before)


def _corrected(drawn: Floats, value: Floats, moves: Floats, wide: Floats) -> tuple[Floats, Floats]:
    below = (np.sum(drawn < value, axis=0) + np.sum(drawn == value, axis=0) / 2) / len(drawn)
    bias = ndtri(np.clip(below, 0.001, 0.999))
    bend = np.sum(moves**3, axis=1) / (6 * np.sum(moves**2, axis=1) ** 1.5 + 1e-300)
    ends: list[Floats] = []
    for normal in (wide * norm.ppf(TAIL), wide * norm.ppf(1 - TAIL)):
        places = ndtr(bias + (bias + normal) / (1 - bend * (bias + normal)))
        ranked = np.sort(np.where(np.isfinite(drawn), drawn, value), axis=0)
        chosen = np.clip(np.nan_to_num(places * len(drawn)), 0, len(drawn) - 1).astype(np.int64)
        ends.append(ranked[chosen, np.arange(drawn.shape[1])])
    return ends[0], ends[1]


def main() -> None:
    """Print the coverage of every method."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--cells", nargs="+", default=["scored pairs/independent/mse", "documents, spread 1/independent/loss a token"]
    )
    parser.add_argument("--units", type=int, nargs="+", default=[30, 50, 100])
    parser.add_argument("--effects", type=float, nargs="+", default=[0.0, 0.3])
    parser.add_argument("--replications", type=int, default=2000)
    parser.add_argument("--draws", type=int, default=600)
    arguments = parser.parse_args()
    print("| World | Design | Metric | Units | Effect | " + " | ".join(METHODS) + " |")
    print("|" + "---|" * (5 + len(METHODS)))
    for place in arguments.cells:
        name, kind, metric = place.split("/")
        for units in arguments.units:
            for effect in arguments.effects:
                random = generator(0, "methods", place, units, str(effect))
                outside = np.zeros((len(METHODS), 2))
                sets = -(-arguments.replications // 4)
                for block in range(4):
                    design = DESIGNS[kind](units, random)
                    sample = WORLDS[name].simulate(design, sets, effect, random)
                    truth = WORLDS[name].truth(metric, effect, sample.tested)
                    ends = intervals(sample, design, WORLDS[name].metrics[metric], seed=block, draws=arguments.draws)
                    outside += (
                        np.stack([(ends[:, 0] > truth).mean(axis=1), (ends[:, 1] < truth).mean(axis=1)], axis=1) / 4
                    )
                shown = " | ".join(f"{1 - low - high:.3f} ({low:.3f}, {high:.3f})" for low, high in outside)
                print(f"| {name} | {kind} | {metric} | {units} | {effect:g} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
