"""Print how the verdict is calibrated: python -m benchmarks.calibration [--quick] [--workers 2]."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from benchmarks.calibration import counts, labels, pairs, texts
from benchmarks.calibration.cell import Budget, Cell, measure

WORLDS = {**pairs.WORLDS, **counts.WORLDS, **labels.WORLDS, **texts.WORLDS}
HEADS = (
    *("World", "Design", "Metric", "Units", "Coverage, equal", "different", "HELPED, equal", "HURT, equal", "TOO FEW"),
    *("Promised", "Kept"),
)
UNITS = (30, 50, 100, 300, 1000, 5000)


def cells(
    worlds: list[str], designs: list[str] | None, units: list[int], budget: Budget, workers: int
) -> Iterator[Cell]:
    """Yield the cells of worlds, the longest first where several processes share the work."""
    jobs = [
        (name, WORLDS[name], design, size)
        for size in units
        for name in worlds
        for design in WORLDS[name].designs
        if designs is None or design in designs
    ]
    if workers == 1:
        for job in jobs:
            yield from measure(*job, budget)
        return
    with ProcessPoolExecutor(workers) as pool:
        for of_job in pool.map(_measure, [(name, design, size, budget) for name, _, design, size in jobs]):
            yield from of_job


def _measure(job: tuple[str, str, int, Budget]) -> list[Cell]:
    name, design, size, budget = job
    return measure(name, WORLDS[name], design, size, budget)


def row(cell: Cell) -> str:
    """Return one line of the table."""
    shares = (cell.coverage, cell.coverage_different, cell.helped, cell.hurt, cell.too_few, cell.promised, cell.kept)
    shown = " | ".join("-" if share is None else f"{share:.3f}" for share in shares)
    return f"| {cell.world} | {cell.design} | {cell.metric} | {cell.units} | {shown} |"


def main() -> None:
    """Simulate and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replications", type=int, default=2000)
    parser.add_argument("--draws", type=int, default=600)
    parser.add_argument("--units", type=int, nargs="+", default=list(UNITS))
    parser.add_argument("--worlds", nargs="+", default=list(WORLDS), choices=list(WORLDS))
    parser.add_argument("--designs", nargs="+")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="20 replications of 30 and 100 units, in seconds")
    parser.add_argument("--json", type=Path, help="write every cell to this file, too")
    arguments = parser.parse_args()
    budget = Budget(20, 200) if arguments.quick else Budget(arguments.replications, arguments.draws)
    units = [30, 100] if arguments.quick else arguments.units
    started = time.perf_counter()
    print(f"| {' | '.join(HEADS)} |\n|{'---|' * len(HEADS)}")
    measured: list[Cell] = []
    for cell in cells(arguments.worlds, arguments.designs, units, budget, arguments.workers):
        measured.append(cell)
        print(row(cell), flush=True)
    print(
        f"\n{budget.replications} test sets a cell, {budget.draws} draws each; {time.perf_counter() - started:.0f} s."
    )
    if arguments.json:
        arguments.json.write_text(json.dumps([cell.record() for cell in measured], indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
