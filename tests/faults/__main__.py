"""Print the fault matrix that a run of the tests has written: ``python -m tests.faults TABLE``."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path


def main(path: str) -> int:
    """Print one line for every row, in the order of their numbers, and return 1 where something did not hold."""
    tried: dict[str, int] = defaultdict(int)
    failed: dict[str, int] = defaultdict(int)
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        each = json.loads(line)
        tried[each["row"]] += each["tried"]
        failed[each["row"]] += len(each["failed"])
    sys.stdout.write("| Row | Tried | Held |\n|---|---|---|\n")
    for name in sorted(tried, key=lambda name: (int(name.split()[0]), name)):
        number, _, what = name.partition(" ")
        sys.stdout.write(f"| {number}. {what} | {tried[name]:,} | {tried[name] - failed[name]:,} |\n")
    total, lost = sum(tried.values()), sum(failed.values())
    sys.stdout.write(f"| all | {total:,} | {total - lost:,} |\n")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
