"""Row 3: a bit flipped, a file cut or gone, in anything that is read back."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from homeground.checkpoint.tokenizer import open_tokenizer
from homeground.data import documents
from homeground.data.streams import open_rows
from homeground.data.tokens.of_documents import TokenizedDocuments
from homeground.errors import DamageWarning
from homeground.results.record import READ
from tests.faults.conftest import EVERYTHING, Row, Unbroken, Zygote, outcome

FLIPS = 12 if EVERYTHING else 1


def damages(content: bytes, seed: int) -> dict[str, bytes | None]:
    """Return a file's content with some bits flipped, cut, emptied and gone."""
    random = np.random.default_rng(seed)
    found: dict[str, bytes | None] = {"gone": None, "emptied": b"", "cut": content[: len(content) // 2]}
    for number in range(FLIPS):
        flipped = bytearray(content)
        place = int(random.integers(len(content)))
        flipped[place] ^= 1 << int(random.integers(8))
        found[f"flip {number} at {place}"] = bytes(flipped)
    return found


PARTS = {
    "folds": ["folds/1/predictions.npy", "folds/2/manifest.json", "checkpoints/*/model.safetensors", "metrics.jsonl"],
    "seeds": ["seeds/2/predictions.npy", "seeds/2/manifest.json"],
    "search": ["search/1/trial.json", "search/2/manifest.json"],
    "curve": ["learning-curve/50/predictions.npy", "learning-curve/50/result.json"],
}
"""Files of a run that was stopped late, which the rest of the run is made from."""


@pytest.mark.timeout(3000)
@pytest.mark.parametrize("kind", PARTS if EVERYTHING else ["folds"])
def test_damaged_parts_of_a_run_are_made_again(
    kind: str,
    unbroken: Callable[[str], Unbroken],
    zygote: Zygote,
    workplace: Callable[[], Path],
    row: Callable[[str], Row],
    tmp_path: Path,
) -> None:
    besides = ("warnings",)  # a snapshot that is passed over is said
    expected, tried = outcome(unbroken(kind).folder, besides=besides), row(f"3 damaged parts, {kind}")
    late = workplace()
    assert zygote(kind, late, kill_before="scores.json")["status"] == -9
    for pattern in PARTS[kind]:
        path = next(iter(sorted((late / "runs/run").glob(pattern))), None)
        assert path is not None, pattern
        for what, content in damages(path.read_bytes(), seed=len(pattern)).items():
            folder = Path(shutil.copytree(late, tmp_path / "damaged", symlinks=True))
            _put(folder / path.relative_to(late), content)
            again = zygote(kind, folder)
            found = outcome(folder, besides=besides)
            differing = {name for name in {*found, *expected} if found.get(name) != expected.get(name)}
            differing -= {"runs/run/metrics.jsonl"} if pattern == "metrics.jsonl" else set()
            tried(
                f"{pattern} {what}",
                again["status"] == 0 and not differing,
                f"{again['status']} {sorted(differing)} {again['output']}",
            )
            shutil.rmtree(folder)


def _put(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)


MADE_AGAIN = ("scores.json", "data.json", "recipe.toml", "splits.jsonl")
REFUSED = ("examples.jsonl", "predictions.npy", "training_texts.npy", "training_texts_ordered.npy", "metrics.jsonl")


@pytest.mark.timeout(3000)
def test_damaged_files_of_a_finished_run_are_made_again_or_refused_by_name(
    unbroken: Callable[[str], Unbroken], zygote: Zygote, row: Callable[[str], Row], tmp_path: Path
) -> None:
    finished = unbroken("labels").folder
    expected, tried = outcome(finished), row("3 damaged files of a finished run")
    for name in (*MADE_AGAIN, *REFUSED, "run.json"):
        path = finished / "runs/run" / name
        for what, content in damages(path.read_bytes(), seed=len(name)).items():
            if name == "run.json" and what == "gone":
                continue  # then it is no run: it is refused as a folder that holds something else
            folder = Path(shutil.copytree(finished, tmp_path / "damaged", symlinks=True))
            _put(folder / path.relative_to(finished), content)
            reported = zygote.ask({"argv": ["report", "runs/run"], "cwd": str(folder)})
            if name in (*READ, "run.json"):
                refused = reported["status"] == 2 and name in reported["output"]
                tried(f"report, {name} {what}", refused, str(reported))
            again = zygote("labels", folder)
            if name in MADE_AGAIN:
                held = again["status"] == 0 and outcome(folder) == expected
            else:
                held = again["status"] == 2 and f"{name} is" in again["output"]
            tried(f"adapt, {name} {what}", held, str(again))
            shutil.rmtree(folder)


@pytest.mark.timeout(3000)
def test_damaged_tokens_in_the_cache_are_made_again(
    material: Path, tmp_path: Path, row: Callable[[str], Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOMEGROUND_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(documents, "MAX_BYTES_IN_MEMORY", 0)
    tokenizer = open_tokenizer(material / "bert")

    def tokens() -> TokenizedDocuments:
        return documents.Source(open_rows(str(material / "documents.jsonl")), "text").tokenized(tokenizer)

    expected, tried = tokens(), row("3 damaged tokens in the cache")
    (folder,) = (tmp_path / "cache/tokens").iterdir()
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        for what, damaged in damages(content, seed=len(path.name)).items():
            _put(path, damaged)
            is_said = path.name != "manifest.json" or damaged is not None
            with pytest.warns(DamageWarning, match="it is made again") if is_said else contextlib.nullcontext():
                found = tokens()
            held = np.array_equal(found.ids, expected.ids) and np.array_equal(found.word_starts, expected.word_starts)
            tried(f"{path.name} {what}", held and path.read_bytes() == content)
