"""A run folder as one value; runs_of_0_1/ holds the small files of two runs that version 0.1 wrote."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from homeground.errors import DataError
from homeground.reports.model_card import model_card
from homeground.reports.report import write_report
from homeground.reports.terminal import verdict_lines
from homeground.results.record import printable, read_run
from homeground.results.run import Run

RUNS_OF_0_1 = Path(__file__).parent / "runs_of_0_1"


@pytest.mark.parametrize("name", ["labelled", "pairs"])
def test_a_run_of_version_0_1_is_read_without_loss(name: str) -> None:
    record = read_run(RUNS_OF_0_1 / name)

    for file, model in (("scores.json", record.scores), ("data.json", record.data)):
        written = json.loads((RUNS_OF_0_1 / name / file).read_text(encoding="utf-8"))
        written.pop("below_baseline", None)  # it follows from the difference
        assert model.to_json() == written
    assert record.run["state"] == "finished"
    assert record.checkpoint.name == {"labelled": "lively", "pairs": "encoder"}[name]
    assert len(record.examples) == 24
    assert record.chain is None


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (
            "labelled",
            [
                "Merged weights",
                "Variance between training runs",
                "Scores by class",
                "each predicted by a model that did not see it (5-fold cross-fitting)",
            ],
        ),
        ("pairs", ["Similarity of titles", "Similarities by target", "98 test pairs"]),
    ],
)
def test_a_run_of_version_0_1_still_has_a_report_a_card_and_lines(tmp_path: Path, name: str, shown: list[str]) -> None:
    folder = shutil.copytree(RUNS_OF_0_1 / name, tmp_path / name)
    record = read_run(folder)

    page = write_report(folder).read_text(encoding="utf-8")
    card = model_card(record)
    lines = verdict_lines(record.scores, Run(folder))

    score = record.scores.after[record.scores.primary_metric]
    assert record.scores.verdict in page
    assert not [words for words in shown if words not in page]
    for text in (page, card, "\n".join(lines)):
        assert f"{score:.3f}" in text
    assert record.scores.verdict in lines


def test_text_is_made_printable_before_it_is_read(tmp_path: Path) -> None:
    folder = shutil.copytree(RUNS_OF_0_1 / "labelled", tmp_path / "run")
    scores = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
    scores["classes"][0] = "a\x00b\u202ec"
    (folder / "scores.json").write_text(json.dumps(scores), encoding="utf-8")

    assert read_run(folder).scores.classes[0] == printable("a\x00b\u202ec") == "a␀b⟨U+202E⟩c"


def test_a_file_that_does_not_validate_is_named_with_the_field(tmp_path: Path) -> None:
    folder = shutil.copytree(RUNS_OF_0_1 / "pairs", tmp_path / "run")
    data = json.loads((folder / "data.json").read_text(encoding="utf-8"))
    data["counts"]["train"] = "some"
    (folder / "data.json").write_text(json.dumps(data), encoding="utf-8")

    with pytest.raises(DataError, match=r'data\.json: field "counts\.train": .*; got \'some\''):
        read_run(folder)


def test_only_the_scores_must_be_there(tmp_path: Path) -> None:
    (tmp_path / "scores.json").write_text('{"version": 1}', encoding="utf-8")

    record = read_run(tmp_path)

    assert (record.scores.verdict, record.data.files, record.chain, record.examples) == ("TOO FEW", (), None, ())
