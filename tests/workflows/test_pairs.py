"""From a taxonomy to three files that adapt takes as they are."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import homeground
from homeground.cli import run
from homeground.data.units import text_key
from homeground.errors import DataError, RunConflict, UsageError
from homeground.taxonomy.files import read_taxonomy

ESCO = Path(__file__).parents[3] / "shared" / "data" / "esco"
Write = Callable[..., Path]


@pytest.fixture
def taxonomy(write_csv: Write) -> Path:
    """A table of paths, in which two names stand in several branches."""
    header = ["path", "alternatives", "description"]
    rows = [
        [
            f"b{b} > g{b}{g} > job{b}{g}{m}",
            f"task{b}{g}{m}|{'shared' if m == b else ''}",
            f"Works at {b}{g}{m} all day.",
        ]
        for b in range(5)
        for g in range(9)
        for m in range(4)
    ]
    return write_csv("jobs.csv", header, rows)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_adapt_takes_the_files_as_they_are(
    taxonomy: Path, encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pairs = homeground.make_pairs(taxonomy, hard_negatives=1, checkpoint=str(encoder))
    assert pairs.folder == Path("runs/jobs-pairs")
    split = {name: rows(pairs.folder / f"{name}.csv") for name in ("train", "validation", "test")}
    texts = {
        name: {text_key(row[side]) for row in found for side in ("text_1", "text_2")} for name, found in split.items()
    }
    assert (
        not texts["train"] & texts["validation"] | texts["train"] & texts["test"] | texts["validation"] & texts["test"]
    )
    assert {name: sum(counts.values()) for name, counts in pairs.record["pairs"].items()} == {
        name: len(found) for name, found in split.items()
    }
    assert pairs.record["pairs"]["train"]["hard_negative"] > 0
    assert pairs.record["homonyms"] == {"names": 1, "examples": ["shared"]}
    assert pairs.record["dropped"]["texts_in_two_splits"]["alternatives"] > 0
    adapted = homeground.adapt(
        pairs.folder / "train.csv",
        validation=str(pairs.folder / "validation.csv"),
        test=str(pairs.folder / "test.csv"),
        checkpoint=str(encoder),
        epochs=1,
        bootstrap_draws=200,
        out=str(tmp_path / "run"),
    )
    assert adapted.scores["test_units"] == pairs.record["groups"]["test"]
    assert adapted.scores["seen_in_training"] == 0


def test_a_folder_is_left_as_it_is_or_refused_or_moved_aside(taxonomy: Path, tmp_path: Path) -> None:
    out = tmp_path / "pairs"
    homeground.make_pairs(taxonomy, out=out)
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in out.iterdir()}
    homeground.make_pairs(taxonomy, out=out)
    assert before == {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in out.iterdir()}
    with pytest.raises(RunConflict, match=r"holds something else; name another folder with --out, or .* --fresh"):
        homeground.make_pairs(taxonomy, out=out, seed=1)
    assert before["train.csv"][0] == (out / "train.csv").read_bytes()
    homeground.make_pairs(taxonomy, out=out, seed=1, fresh=True)
    assert before["train.csv"][0] == (tmp_path / "pairs.old-1" / "train.csv").read_bytes()
    assert before["train.csv"][0] != (out / "train.csv").read_bytes()
    assert json.loads((out / "pairs.json").read_text(encoding="utf-8"))["seed"] == 1
    (tmp_path / "file").write_text("")
    with pytest.raises(RunConflict, match="is a file"):
        homeground.make_pairs(taxonomy, out=tmp_path / "file")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_write_that_fails_leaves_nothing_half_written(
    taxonomy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Path.open

    def full(self: Path, *options: Any, **named: Any) -> Any:
        return opened(Path("/dev/full") if self.name == "test.csv" else self, *options, **named)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(homeground.HomegroundError, match="could not be written"):
        homeground.make_pairs(taxonomy, out=tmp_path / "pairs")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["jobs.csv"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"counts": {"siblings": 1}}, '--count siblings=1: .* did you mean "sibling"'),
        ({"counts": {"parent": 2}}, "at most 1 description and parent"),
        ({"scores": {"uncle": 1}}, "--score uncle=1: no relation is called so"),
        ({"scores": {"sibling": 1.2}}, "expected a number from 0 to 1"),
        ({"scores": {"stranger": 0.95}}, "a stranger's score of 0.95 is above an alternative's of 0.9"),
        ({"test": 0.0}, "--test 0.0: expected a share"),
        ({"test": 0.5, "validation": 0.5}, "leave nothing to learn from"),
        ({"hold_out": 0}, "--hold-out 0"),
        ({"hold_out": 4}, r"--hold-out 4: expected .* 1 \(branches\) to 3"),
    ],
)
def test_what_cannot_be_followed_is_refused(taxonomy: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        homeground.make_pairs(taxonomy, **options)


def test_too_few_groups_for_a_verdict_are_told_and_one_branch_is_refused(taxonomy: Path, write_csv: Write) -> None:
    assert any(
        "a verdict needs 30" in note
        for note in homeground.make_pairs(taxonomy, out=taxonomy.parent / "p").record["notes"]
    )
    one = write_csv("one.csv", ["path"], [[f"all > g{g} > job{g}{m}"] for g in range(40) for m in range(3)])
    with pytest.raises(DataError, match=r"one branch.*--branch-depth"):
        homeground.make_pairs(one, out=taxonomy.parent / "q")


def test_the_command_tells_what_it_drew_and_json_is_all_of_it(
    taxonomy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "pairs")
    assert run(["pairs", str(taxonomy), "--out", out, "--count", "cousin=2", "--score", "sibling=0.7"]) == 0
    printed = capsys.readouterr().out
    assert "180 concepts in 5 branches, 3 deep" in printed
    assert "1 names belong to several concepts, such as" in printed
    assert "dropped, because they are in two splits:" in printed
    again = ["pairs", str(taxonomy), "--out", out, "--count", "cousin=2", "--score", "sibling=0.7"]
    assert run([*again, "--json", "--quiet"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["scores"]["sibling"] == 0.7
    assert record["counts"]["cousin"] == 2
    assert run([*again, "--score", "sibling=high"]) == 2
    assert "--score sibling=high: expected RELATION=X, with X a number" in capsys.readouterr().err
    assert run([*again, "--count", "sibling=1.5"]) == 2
    assert "a whole number" in capsys.readouterr().err


@pytest.mark.skipif(not ESCO.is_dir(), reason="the ESCO files are not part of the repository")
def test_pairs_made_by_hand_from_esco_have_the_relations_the_tree_gives_them() -> None:
    taxonomy = read_taxonomy(ESCO / "occupations_en.csv", groups=ESCO / "ISCOGroups_en.csv")
    titles = {concept.keys[0]: concept for concept in taxonomy.concepts}
    agreed: list[bool] = []
    for row in rows(ESCO / "training_pairs.csv"):
        one, key = titles.get(text_key(row["base"])), text_key(row["ref"])
        if one is None:
            continue
        other = titles.get(key)
        if key in one.keys[1:]:
            agreed.append(0.7 < float(row["similarity"]) < 0.8)
        elif key == text_key(one.description):
            agreed.append(float(row["similarity"]) == 1)
        elif other is not None and other is not one:
            agreed.append((taxonomy.common_depth(one.node, other.node) == 0) == (float(row["similarity"]) == 0.5))
    assert len(agreed) >= 30
    assert all(agreed)
