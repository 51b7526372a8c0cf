"""Collect the documentation inside the installed Python packages: domain text that every machine has.

    python examples/docstrings.py runs/docstrings.csv

A row is a module or a class: its docstring and those of its functions. ``group`` is the package, so that no package is
learned from and tested on. Files are parsed, never run, and gone through in the order of their names: the same
installation gives the same file.
"""

from __future__ import annotations

import ast
import csv
import sys
import sysconfig
from collections.abc import Iterator
from inspect import cleandoc
from itertools import islice
from pathlib import Path

MOST = 4_000_000
"""Characters written where nothing else is said."""

A_PACKAGE = 60
"""Documents of one package at most, so that none is most of the corpus."""

SHORTEST = 200
"""Characters of a document: less says little."""

LARGEST = 1_000_000
"""Bytes of a source file; larger ones are tables."""


def documents() -> Iterator[tuple[str, str]]:
    """Yield package and text of every document, the standard library first, no text twice."""
    known: set[str] = set()
    for folder in dict.fromkeys(sysconfig.get_paths()[name] for name in ("stdlib", "purelib")):
        for package in sorted(Path(folder).iterdir()):
            if package.name not in ("site-packages", "dist-packages", "test", "idlelib"):
                new = (text for text in _of_package(package) if text not in known)
                for text in islice(new, A_PACKAGE):
                    known.add(text)
                    yield package.stem, text


def _of_package(package: Path) -> Iterator[str]:
    """Yield the documents of a package or of a single module."""
    files = sorted(package.rglob("*.py")) if package.is_dir() else [package] if package.suffix == ".py" else []
    for file in files:
        if file.stat().st_size <= LARGEST:
            yield from _of_module(file)


def _of_module(file: Path) -> Iterator[str]:
    """Yield the documents of a source file; nothing of one that is no Python of this version."""
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError, RecursionError):
        return
    for node in (tree, *(node for node in tree.body if isinstance(node, ast.ClassDef))):
        functions = [part for part in node.body if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)]
        found = [text for part in (node, *functions) if (text := ast.get_docstring(part))]
        document = "\n\n".join(cleandoc(text) for text in found)
        if len(document) >= SHORTEST:
            yield document


def write(target: Path, most: int = MOST) -> int:
    """Write about ``most`` characters of documents as CSV, and return how many documents there are."""
    target.parent.mkdir(parents=True, exist_ok=True)
    size = count = 0
    with target.open("w", encoding="utf-8", errors="replace", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["group", "text"])
        for package, text in documents():
            if size + len(text) > most:
                break
            writer.writerow([package, text])
            size, count = size + len(text), count + 1
    return count


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python examples/docstrings.py FILE.csv [CHARACTERS]")
    written = write(Path(sys.argv[1]), *map(int, sys.argv[2:3]))
    sys.stdout.write(f"wrote {written} documents to {sys.argv[1]}\n")
