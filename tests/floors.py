"""Print constraints that hold every dependency at the release of its lower bound, for pip.

    python -m tests.floors > constraints.txt

PyTorch stays at the version of constraints.txt: an older build is not tested.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def floors(extras: tuple[str, ...] = ("cleaning", "excel", "export", "lora", "parquet", "segmentation")) -> list[str]:
    """Return the constraints of the dependencies and of the extras that users install."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [*project["dependencies"], *(each for extra in extras for each in project["optional-dependencies"][extra])]
    pinned = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line.startswith("torch==")]
    return pinned + [
        f"{name}=={bound}.*"
        for name, bound in (re.match(r"([\w.-]+)>=([\d.]+)", each).groups() for each in named)
        if name != "torch"
    ]


if __name__ == "__main__":
    print("\n".join(floors()))
