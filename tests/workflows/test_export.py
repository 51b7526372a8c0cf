"""The model of a run for other runtimes: equal answers, measured scores, and what is refused or left behind."""

from __future__ import annotations

import csv
import importlib
import json
import math
import os
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.classifying import lively, topic_texts
from tests.conftest import FAST
from tests.runs import Broken
from tests.tagging import tagged_texts, write_tagged

import homeground
from homeground.checkpoint import open_checkpoint
from homeground.cli import run as typed
from homeground.engines.exported import sessions
from homeground.errors import CheckpointError, DiskError, ExportRefused, RunLocked, UsageError
from homeground.results.publication import read_export
from homeground.results.run import Run
from homeground.storage import file_hash, locked, read_json, sealed, write_json, write_manifest
from homeground.workflows.export import export

pytest.importorskip("openvino")
pytest.importorskip("transformers.exporters.quantizers")

TEXTS = ["bank loan", "court", "a house by the road in the town and a car", "engineer 17 nurse data"]
BLOCKED = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "transformers"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
"""


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("labelled")
    with (folder / "texts.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["text", "label"], *topic_texts(900)])
    settings: dict[str, Any] = {**FAST, "epochs": 4, "learning_rate": 1e-3, "cross_fit": 0, "test": 0.4, "quiet": True}
    return homeground.adapt(
        folder / "texts.csv", checkpoint=str(lively(folder / "bert")), out=str(folder / "run"), **settings
    )


@pytest.fixture(scope="module")
def tagged(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("tagged")
    data = write_tagged(folder / "tags.jsonl", tagged_texts(400))
    return homeground.adapt(
        data, checkpoint=str(lively(folder / "bert")), out=str(folder / "run"), **{**FAST, "quiet": True}
    )


@pytest.fixture(scope="module")
def exported(labelled: Run) -> Run:
    """The run of labels with an export for OpenVINO that answers as the model does."""
    export(labelled)
    return labelled


@pytest.fixture
def own(exported: Run, tmp_path: Path) -> Run:
    return Run(Path(shutil.copytree(exported.folder.parent, tmp_path / "own")) / "run")


def files_below(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*") if path.suffix != ".lock")


def answers(model: Any, texts: list[str]) -> np.ndarray[Any, Any]:
    if isinstance(model, homeground.MaskedLM):
        filled = model.fill_mask([f"{text} [MASK]" for text in texts], 3)
        return np.array([[each.probability for each in candidates] for candidates in filled])
    return np.asarray(model.figures(texts), np.float64)


# ---- Answers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "engine"), [("finished", "openvino"), ("labelled", "onnx"), ("tagged", "onnx"), ("masked", "openvino")]
)
def test_an_export_answers_as_the_model_and_whatever_else_is_in_a_call(
    kind: str, engine: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    run = request.getfixturevalue(kind)
    done = export(run, format=engine, output=tmp_path / engine)
    own, other = homeground.load(run), homeground.load(tmp_path / engine)
    np.testing.assert_allclose(answers(other, TEXTS), answers(own, TEXTS), atol=1e-5)
    together = answers(other, TEXTS)
    np.testing.assert_allclose(np.concatenate([answers(other, [text]) for text in TEXTS]), together, atol=1e-5)
    assert done["verdict"] == "EQUAL" and done["parity"]["largest"] < 1e-5
    assert done["before"] == pytest.approx(done["after"], abs=1e-6)
    assert not (run.folder / "exports").exists()  # the folder that was named holds it, and nothing else has changed


@pytest.mark.parametrize("kind", ["labelled", "masked"])
def test_an_export_gives_the_embeddings_of_the_model_too(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    run = request.getfixturevalue(kind)
    export(run, output=tmp_path / "it")
    own, other = homeground.load(run), homeground.load(tmp_path / "it")
    embed: Callable[[Any], Any] = lambda model: model.embed(TEXTS) if kind == "labelled" else model.encode(TEXTS)  # noqa: E731
    np.testing.assert_allclose(embed(other), embed(own), atol=1e-5)
    assert other.parameters == own.parameters and other.max_length == own.max_length


def test_dynamic_int8_gets_one_text_a_call_so_that_its_answers_do_not_depend_on_the_others(
    labelled: Run, tmp_path: Path
) -> None:
    done = export(labelled, format="onnx", int8=True, margin=0.3, output=tmp_path / "it")
    model = homeground.load(tmp_path / "it")
    assert done["one_by_one"] and done["calibration"]["method"] == "dynamic" and done["precision"] == "int8"
    assert np.array_equal(answers(model, TEXTS), np.concatenate([answers(model, [text]) for text in TEXTS]))
    assert 0 < done["parity"]["largest"] < 0.9 and done["parity"]["equal"] > 0.7


def test_an_export_is_measured_and_compared_like_a_checkpoint_and_never_adapted(exported: Run, tmp_path: Path) -> None:
    folder, data = exported.folder / "exports" / "openvino", exported.folder.parent / "texts.csv"
    own, other = (homeground.evaluate(each, data, keep_contaminated=True) for each in (exported, folder))
    assert other["scores"] == pytest.approx(own["scores"], abs=1e-5)
    assert other["seen_in_training"] == own["seen_in_training"] > 0  # it is known what the run has learned
    with pytest.raises(CheckpointError, match="exported model, which predicts and can be measured, but not adapted"):
        homeground.adapt(data, checkpoint=str(folder), out=str(tmp_path / "run"), quiet=True)


# ---- Scores ----------------------------------------------------------------------------------------------------------


def test_static_int8_is_accepted_within_the_margin_and_shown_in_report_and_card(own: Run) -> None:
    done = export(own, int8=True, margin=0.3)
    assert done["verdict"] == "KEPT" and done["calibration"]["method"] == "static"
    assert 20 < done["calibration"]["batches"] <= 32 and done["calibration"]["batch_size"] == 16
    low = done["difference"]["low"]
    assert low > -0.3 and done["test_examples"] == 360
    assert {"openvino", "nncf", "torch", "transformers"} <= set(done["versions"])
    record = read_export(Path(done["folder"]))
    assert record is not None and record.sentence == done["sentence"]
    page, card = own.report_path.read_text(), (own.model_folder / "README.md").read_text()
    assert 'id="exports"' in page and "OpenVINO, int8" in page and "OpenVINO, fp32" in page
    # Each has a margin of its own: fp32 none.
    assert re.findall(r'<td data-label="Margin">(.*?)</td>', page) == ["–", "0.3"]
    assert "excludes a loss of its margin" in page and "excludes a loss of its margin" in card
    margins = {row.split(" | ")[0]: row.split(" | ")[5] for row in re.findall(r"\| (openvino[^\n]*)", card)}
    assert margins == {"openvino": "–", "openvino-int8": "0.3"}
    assert export(own, int8=True, margin=0.3)["time"] == done["time"]
    # What was accepted with a margin of the user's own is no answer to a call without one.
    with pytest.raises(ExportRefused) as refused:
        export(own, int8=True)
    # The earlier one stays in use, and the refusal says so.
    assert str(refused.value).endswith(f"; the export accepted with a margin of 0.3 stays in {done['folder']}")
    assert read_export(Path(done["folder"])) == record
    # The card is part of the model's folder, which must still be as its manifest says.
    labels = homeground.load(own).classes_
    assert homeground.load(own, engine="openvino-int8").predict("bank loan") in labels


def in_bf16(run: Run, **more: Any) -> dict[str, Any]:
    """Export in bfloat16, where the processor has it."""
    try:
        return export(run, bf16=True, margin=0.3, **more)
    except UsageError as error:
        if "this processor does not compute in it" in f"{error}":
            pytest.skip(f"{error}")
        raise


@pytest.mark.parametrize("kind", ["labelled", "finished"])
def test_bf16_is_accepted_as_int8_is_and_answers_whatever_else_is_in_a_call(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    run = request.getfixturevalue(kind)
    done = in_bf16(run, output=tmp_path / "it")
    assert (done["name"], done["precision"], done["verdict"]) == ("openvino-bf16", "bf16", "KEPT")
    assert done["calibration"] is None and done["margin"] == 0.3
    own, other = homeground.load(run), homeground.load(tmp_path / "it")
    together = answers(other, TEXTS)
    np.testing.assert_allclose(together, answers(own, TEXTS), atol=0.05)
    np.testing.assert_allclose(np.concatenate([answers(other, [text]) for text in TEXTS]), together, atol=1e-5)


def test_bf16_is_found_by_its_name_and_shown_with_its_margin(own: Run, capsys: pytest.CaptureFixture[str]) -> None:
    in_bf16(own)
    assert typed(["export", str(own.folder), "--bf16", "--margin", "0.3", "--quiet"]) == 0
    model = homeground.load(own, engine="openvino-bf16")
    assert model.predict("bank loan") in model.classes_
    page = own.report_path.read_text()
    assert "OpenVINO, bf16" in page and re.findall(r'<td data-label="Margin">(.*?)</td>', page) == ["–", "0.3"]
    capsys.readouterr()
    for arguments, message in (
        (["--bf16", "--int8"], "--int8 and --bf16: an export computes in one of them"),
        (["--bf16", "--format", "onnx"], "--bf16 is not for onnx, whose runtime multiplies in float32"),
    ):
        assert typed(["export", str(own.folder), *arguments]) == 2
        assert message in capsys.readouterr().err


def test_bf16_is_refused_where_the_processor_would_compute_something_else(
    labelled: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = sessions.OPENED_BY["openvino"]
    monkeypatch.setitem(sessions.OPENED_BY, "openvino", lambda *values: (*opened(*values)[:2], "fp32"))
    with pytest.raises(UsageError, match="--bf16: this processor does not compute in it"):
        export(labelled, bf16=True, output=tmp_path / "it")
    assert not (tmp_path / "it").exists()


def test_int8_below_its_margin_is_refused_with_both_scores_and_leaves_nothing(labelled: Run, tmp_path: Path) -> None:
    without = shutil.ignore_patterns("exports")
    run = Run(Path(shutil.copytree(labelled.folder.parent, tmp_path / "own", ignore=without)) / "run")
    before = files_below(tmp_path)
    with pytest.raises(ExportRefused) as refused:
        export(run, int8=True, margin=1e-9)
    message = str(refused.value)
    assert "with torch in fp32 and" in message and "as openvino-int8" in message and "95% interval" in message
    assert "--margin" in message and refused.value.exit_code == 1
    assert files_below(tmp_path) == before


def test_where_every_text_was_learned_from_int8_is_refused_and_fp32_is_not(
    tmp_path: Path, encoder: Path, write_csv: Callable[..., Path]
) -> None:
    data = write_csv("texts.csv", ["text", "label"], topic_texts(120))
    run = homeground.adapt(data, checkpoint=str(encoder), out=str(tmp_path / "run"), cross_fit=3, quiet=True, **FAST)
    with pytest.raises(ExportRefused, match=r"learned from, so keeping them shows nothing.*--test FILE"):
        export(run, int8=True, margin=0.9)
    done = export(run)
    assert done["verdict"] == "EQUAL" and done["seen"] == done["test_examples"]
    # What is measured there is agreement and no score of new texts, and is never shown as one.
    assert "of which the model has learned 120, so that this is agreement and no score" in done["sentence"]
    page, card = run.report_path.read_text(), (run.model_folder / "README.md").read_text()
    rows = re.findall(r'<td data-label="[^"]+ of the (?:model|export)">(.*?)</td>', page)
    assert rows == ["–", "–"] and '<td data-label="interval" class="span">–</td>' in page
    assert "The model has learned 120 of the test examples" in page and "has learned 120 of the test examples" in card
    assert re.search(r"\| openvino \| [^|]+ \| – \| – \| – \|", card)


# ---- What is there already, and what was changed ---------------------------------------------------------------------


def test_the_same_call_again_returns_what_is_there(own: Run) -> None:
    written = (own.folder / "exports" / "openvino" / "export.json").read_bytes()
    assert export(own)["verdict"] == "EQUAL"
    assert (own.folder / "exports" / "openvino" / "export.json").read_bytes() == written


def test_a_changed_file_is_refused_by_its_hash_and_made_again(own: Run) -> None:
    for name in ("config.json", "tokenizer.json", "openvino_model.xml", "openvino_model.bin"):
        path = own.folder / "exports" / "openvino" / name
        content = path.read_bytes()
        path.write_bytes(content.replace(b"a", b"b", 1) + b" ")
        with pytest.raises(CheckpointError, match="export the run again"):
            homeground.load(own, engine="openvino")
        if name != "openvino_model.bin":
            path.write_bytes(content)
    assert export(own)["verdict"] == "EQUAL"
    homeground.load(own, engine="openvino").predict("bank")


def test_a_graph_that_the_record_does_not_know_is_refused(own: Run) -> None:
    folder = own.folder / "exports" / "openvino"
    (folder / "openvino_model.xml").write_text("<net></net>")
    write_manifest(folder)
    with pytest.raises(CheckpointError, match=r"is not the file that export\.json describes"):
        homeground.load(folder)
    write_json(folder / "export.json", {**read_json(folder / "export.json"), "one_by_one": True})
    write_manifest(folder)
    with pytest.raises(CheckpointError, match="not as it was written"):
        homeground.load(folder)


def rewritten(folder: Path, **changes: Any) -> None:
    """Seal a record and a manifest again, as whoever changes an export by hand could."""
    record = {name: value for name, value in read_json(folder / "export.json").items() if name != "sha256"}
    write_json(folder / "export.json", sealed({**record, **changes}))
    write_manifest(folder)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"files": {}}, r"is not the file that export\.json describes"),
        ({"files": None}, "not the record of an export"),
        ({"files": ["openvino_model.bin"]}, "not the record of an export"),
        ({"one_by_one": "false"}, "not the record of an export"),
        ({"head": "speech"}, 'has the head "speech"; known: encoder, sequence_classification'),
        ({"inputs": ["input_ids", "pixels"]}, "has the inputs .*, not input_ids, pixels"),
    ],
)
def test_a_record_that_is_not_that_of_an_export_is_refused(changes: dict[str, Any], problem: str, own: Run) -> None:
    folder = own.folder / "exports" / "openvino"
    rewritten(folder, **changes)
    with pytest.raises(CheckpointError, match=problem):
        homeground.load(folder).predict("bank")


@pytest.mark.parametrize("name", ["openvino_model.bin", "config.json", "tokenizer.json"])
def test_a_file_without_any_hash_is_refused(name: str, own: Run) -> None:
    folder = own.folder / "exports" / "openvino"
    record = {key: value for key, value in read_json(folder / "export.json").items() if key != "sha256"}
    record["files"].pop(name)
    write_json(folder / "export.json", sealed(record))
    write_manifest(folder, [path.name for path in folder.iterdir() if path.name not in (name, "manifest.json")])
    with pytest.raises(CheckpointError, match=f"lacks {name}, or its manifest.json does not list it"):
        homeground.load(folder)
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=f"lacks {name}"):
        homeground.load(folder)


def test_a_file_that_the_manifest_does_not_list_is_refused_unless_it_is_hidden(own: Run, tmp_path: Path) -> None:
    folder = own.folder / "exports" / "openvino"
    (folder / ".DS_Store").write_text("")
    homeground.load(folder)
    (folder / "added_tokens.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"added_tokens\.json is no file of this export; take it out"):
        homeground.load(folder)
    (folder / "added_tokens.json").unlink()
    # A manifest that leads out of the folder would have a copy written outside of it.
    (folder.parent / "outside").write_text("")
    names = [path.name for path in folder.iterdir() if path.name != "manifest.json"]
    write_manifest(folder, [*names, "../outside"])
    with pytest.raises(CheckpointError, match=r"lists \.\./outside, which is no file of this folder"):
        homeground.load(folder)


def test_settings_of_another_model_than_the_graph_are_refused(own: Run) -> None:
    folder = own.folder / "exports" / "openvino"
    config = read_json(folder / "config.json")
    few = dict(list(config["id2label"].items())[:2])
    write_json(folder / "config.json", {**config, "id2label": few})
    write_manifest(folder)
    with pytest.raises(CheckpointError, match=r"logits of a text of 2 tokens has the shape \(1, 4\), where .*\(1, 2\)"):
        homeground.load(folder).predict("bank")


def test_the_graph_of_another_model_is_refused(own: Run, masked: Run, tmp_path: Path) -> None:
    folder = own.folder / "exports" / "openvino"
    export(masked, output=tmp_path / "other")
    for name in ("openvino_model.xml", "openvino_model.bin"):
        shutil.copyfile(tmp_path / "other" / name, folder / name)
    files = {path.name: {"sha256": file_hash(path)} for path in folder.iterdir()}
    inputs = read_json(tmp_path / "other" / "export.json")["inputs"]
    rewritten(folder, files=files)
    with pytest.raises(CheckpointError, match="has the inputs input_ids, attention_mask, positions, not"):
        homeground.load(folder).predict("bank")
    rewritten(folder, files=files, inputs=inputs)
    with pytest.raises(CheckpointError, match="they do not belong together"):
        homeground.load(folder).predict("bank")


def test_weights_that_are_cut_short_are_reported_by_the_reason_of_the_runtime(own: Run) -> None:
    folder = own.folder / "exports" / "openvino"
    path = folder / "openvino_model.bin"
    path.write_bytes(path.read_bytes()[:-1000])
    rewritten(folder, files={each.name: {"sha256": file_hash(each)} for each in folder.iterdir()})
    with pytest.raises(CheckpointError) as refused:
        homeground.load(folder).predict("bank")
    message = str(refused.value)
    assert "openvino could not open it (" in message and "Exception from src" not in message


def test_a_link_in_an_export_is_not_followed(own: Run, tmp_path: Path) -> None:
    path = own.folder / "exports" / "openvino" / "openvino_model.bin"
    path.rename(tmp_path / "elsewhere.bin")
    path.symlink_to(tmp_path / "elsewhere.bin")
    with pytest.raises(CheckpointError, match="a link that leaves"):
        homeground.load(own, engine="openvino")


def test_an_export_of_other_weights_than_the_run_has_is_refused(own: Run) -> None:
    folder = own.folder / "exports" / "openvino"
    record = {name: value for name, value in read_json(folder / "export.json").items() if name != "sha256"}
    # One of weights that the manifest of the run does not list is of other weights as well.
    for name in ("model.safetensors", "model-00001-of-00002.safetensors"):
        record["source"]["weights"] = {name: "0" * 64}
        write_json(folder / "export.json", sealed(record))
        write_manifest(folder)
        with pytest.raises(CheckpointError, match="exported from other weights than"):
            homeground.load(own, engine="openvino")


def test_broken_off_it_leaves_nothing_half_written(labelled: Run, tmp_path: Path) -> None:
    def broken(event: object) -> None:
        if "measuring both" in getattr(event, "text", ""):
            raise Broken

    with pytest.raises(Broken):
        export(labelled, output=tmp_path / "it", on_event=broken)
    assert list(tmp_path.iterdir()) == []


# ---- What cannot be exported -----------------------------------------------------------------------------------------


def test_what_is_no_finished_run_is_refused(own: Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no run, because it has no run\.json"):
        export(tmp_path)
    own.write_record(state="running")
    with pytest.raises(UsageError, match="the run is not finished; give its command again, then export it"):
        export(own)


def test_a_folder_with_anything_else_is_not_written_to(exported: Run, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not empty and holds no export"):
        export(exported, output=tmp_path)
    with pytest.raises(UsageError, match="is a file"):
        export(exported, output=tmp_path / "notes.txt")
    with pytest.raises(DiskError, match="could not be written"):
        export(exported, output=tmp_path / "notes.txt" / "it")


@pytest.mark.parametrize("margin", [0, 0.0, -1.0, math.inf, math.nan, "x", True])
def test_a_margin_that_no_interval_can_exclude_is_refused_before_any_work(margin: Any, exported: Run) -> None:
    with pytest.raises(UsageError, match=r"the margin is .*; expected a finite number above 0"):
        export(exported, int8=True, margin=margin)


def test_the_command_refuses_a_margin_that_is_not_finite(exported: Run, capsys: pytest.CaptureFixture[str]) -> None:
    for margin in ("inf", "nan", "0"):
        assert typed(["export", str(exported.folder), "--int8", "--margin", margin, "--quiet"]) == 2
        assert "expected a finite number above 0" in capsys.readouterr().err


# ---- Where it is written ---------------------------------------------------------------------------------------------


def test_a_run_is_exported_from_inside_its_folder(own: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(own.folder)
    assert export(".")["verdict"] == "EQUAL"
    assert (own.folder.parent / ".run.lock").exists() or not list(own.folder.glob(".*.lock"))
    monkeypatch.chdir(own.model_folder)
    assert export("..")["verdict"] == "EQUAL"
    assert not list(own.folder.glob(".*.lock"))


def test_the_places_of_other_exports_of_a_run_are_not_written_to(own: Run) -> None:
    folder = own.folder / "exports"
    for taken in ("openvino", "mine", "openvino/inside"):
        with pytest.raises(UsageError, match="is in the folder of the exports of"):
            export(own, format="onnx", output=folder / taken)
    assert sorted(path.name for path in folder.iterdir()) == ["openvino"]
    # Its own place is the default, by whatever path: it is locked and shown as that.
    (own.folder / "report.html").unlink()
    export(own, output=folder / ".." / "exports" / "openvino")
    assert own.report_path.is_file()


def test_an_export_that_is_not_of_its_name_is_not_computed_with(own: Run) -> None:
    folder = own.folder / "exports"
    (folder / "openvino").rename(folder / "openvino-int8")
    with pytest.raises(CheckpointError, match="holds the export openvino, not openvino-int8"):
        homeground.load(own, engine="openvino-int8")


def test_an_export_of_another_run_or_name_is_not_replaced(own: Run, exported: Run, tmp_path: Path) -> None:
    folder = tmp_path / "it"
    shutil.copytree(own.folder / "exports" / "openvino", folder)
    with pytest.raises(UsageError, match="holds the export openvino of the run run; remove it, or name a new folder"):
        export(own, format="onnx", output=folder)
    other = Run(own.folder.rename(own.folder.with_name("other")))
    with pytest.raises(UsageError, match="holds the export openvino of the run run"):
        export(other, output=folder)
    (folder / "export.json").write_text("{}")
    with pytest.raises(UsageError, match="holds an export that is not as it was written"):
        export(exported, output=folder)


def test_a_link_is_refused_before_any_work_and_nothing_is_left(exported: Run, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(UsageError, match="is a link; name the folder that it leads to"):
        export(exported, output=tmp_path / "link")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "real"]


@pytest.mark.skipif(sys.platform == "win32", reason="whether a process has ended is not known there")
def test_what_a_killed_export_left_is_removed_and_that_of_a_living_one_is_not(own: Run, tmp_path: Path) -> None:
    target = tmp_path / "it"
    shutil.copytree(own.folder / "exports" / "openvino", target)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for process in (ended.pid, os.getpid()):
        (tmp_path / f".it.{process}.tmp").mkdir()
    (tmp_path / f".other.{ended.pid}.tmp").mkdir()
    export(own, output=target)
    left = sorted(path.name for path in tmp_path.iterdir() if path.suffix == ".tmp")
    assert left == sorted([f".it.{os.getpid()}.tmp", f".other.{ended.pid}.tmp"])


@pytest.mark.skipif(sys.platform == "win32", reason="who may write is another matter there")
def test_a_run_that_is_held_or_not_writable_is_refused_with_the_option_of_this_command(own: Run) -> None:
    with locked(own.folder), pytest.raises(RunLocked, match="or name another folder with --output"):
        export(own)
    (own.folder.parent / ".run.lock").unlink(missing_ok=True)
    (own.folder.parent / ".run.lock").mkdir()
    with pytest.raises(DiskError, match="name a writable folder with --output"):
        export(own)


# ---- What the run did not write --------------------------------------------------------------------------------------


def test_a_file_that_the_run_did_not_write_is_neither_exported_nor_certified(own: Run, tmp_path: Path) -> None:
    written = set(read_json(own.model_folder / "manifest.json")["files"])
    (own.model_folder / "generation_config.json").write_text("{}")
    export(own)
    export(own, output=tmp_path / "it", format="onnx")
    assert set(read_json(own.model_folder / "manifest.json")["files"]) == written
    assert not (tmp_path / "it" / "generation_config.json").exists()
    (own.model_folder / "special_tokens_map.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"special_tokens_map\.json: the run did not write this file"):
        export(own, format="onnx")


def test_a_card_that_was_changed_by_hand_stays(own: Run) -> None:
    card = own.model_folder / "README.md"
    card.write_text("mine")
    events: list[str] = []
    export(own, on_event=lambda event: events.append(getattr(event, "text", "")))
    assert card.read_text() == "mine"
    assert any("README.md was changed by hand and stays as it is" in text for text in events)


# ---- What has changed ------------------------------------------------------------------------------------------------


def test_changed_data_is_refused(own: Run) -> None:
    with (own.folder.parent / "texts.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["text", "label"], *topic_texts(900, seed=1)])
    with pytest.raises(homeground.HomegroundError, match="has changed since this run was made"):
        export(own, format="onnx")


def test_a_missing_library_is_named_with_the_command(exported: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from homeground.engines.torch.exporting import exporter

    monkeypatch.setattr(exporter, "_version", lambda name: None if name == "nncf" else "1")
    with pytest.raises(UsageError, match=r'in int8 needs nncf, which is not installed; .*"homeground\[export\]"'):
        export(exported, int8=True)


def test_an_engine_that_is_not_there_is_named(exported: Run) -> None:
    with pytest.raises(UsageError, match='did you mean "openvino"'):
        homeground.load(exported, engine="openvno")
    with pytest.raises(UsageError, match=r"it has openvino.*--format onnx --int8"):
        homeground.load(exported, engine="onnx-int8")


# ---- Without torch ---------------------------------------------------------------------------------------------------


def test_without_torch_a_run_predicts_by_its_export(exported: Run, tmp_path: Path) -> None:
    code = f"""{BLOCKED}
import homeground, json
model = homeground.load({str(exported.folder)!r})
print(json.dumps(model.predict_proba({TEXTS!r}).tolist()))
try:
    homeground.load({str(exported.folder)!r}, engine="torch").predict("bank")
except homeground.HomegroundError as error:
    print(error)
print([name for name in ("torch", "transformers", "openvino_telemetry") if sys.modules.get(name)])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    probabilities, refusal, imported = done.stdout.strip().splitlines()[-3:]
    model = homeground.load(exported)
    np.testing.assert_allclose(json.loads(probabilities), model.predict_proba(TEXTS), atol=1e-5)
    assert refusal.startswith("torch is not installed") and imported == "[]"


SMALL = BLOCKED.replace(
    '("torch", "transformers")', '("torch", "transformers", "rensa", "jinja2", "huggingface_hub", "py3langid")'
)
"""An installation as docs/export.md describes it, with tensorboard, which measuring needs."""


def test_a_small_installation_measures_an_export_and_says_what_a_command_lacks(exported: Run) -> None:
    folder, data = exported.folder / "exports" / "openvino", exported.folder.parent / "texts.csv"
    commands = [["export", str(exported.folder)], ["doctor"], ["evaluate", str(folder), str(data), "--json"]]
    commands[-1].append("--keep-contaminated")
    commands.append(["report", str(exported.folder)])
    code = f"""{SMALL}
from homeground.cli import run
for command in {commands!r}:
    print(run(command), flush=True)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "torch is not installed, which this needs; install it with: pip install torch" in done.stderr
    assert "jinja2 is not installed, which this command needs; install it with: pip install jinja2" in done.stderr
    assert "unexpected" not in done.stderr
    assert re.search(r"^threads +\d+$", done.stdout, re.MULTILINE) and '"accuracy"' in done.stdout
    assert [line for line in done.stdout.splitlines() if line.isdecimal()] == ["2", "0", "0", "2"]


def test_files_and_batches_are_predicted_by_an_export(exported: Run, tmp_path: Path) -> None:
    (tmp_path / "new.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in TEXTS) + "\n")
    folder = str(exported.folder)
    asked = ["predict", folder, "--engine", "openvino", "--input", str(tmp_path / "new.jsonl"), "--quiet", "--output"]
    assert typed([*asked, str(tmp_path / "all.jsonl")]) == 0
    assert typed([*asked, f"{tmp_path / 'out'}/"]) == 0
    assert (tmp_path / "out" / "new.jsonl").read_bytes() == (tmp_path / "all.jsonl").read_bytes()
    labels = [json.loads(line)["predicted_label"] for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    assert labels == homeground.load(exported).predict(TEXTS)
    predictor = pickle.loads(pickle.dumps(homeground.Predictor(folder, engine="openvino")))
    assert list(predictor({"text": TEXTS})["predicted_label"]) == labels
    # A folder belongs to the model that its predictions are of.
    assert typed(["predict", folder, "--input", str(tmp_path / "new.jsonl"), "--output", f"{tmp_path / 'out'}/"]) == 2


def test_both_are_timed_with_as_many_threads_and_the_record_has_their_number(
    labelled: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int | None] = []
    room = importlib.import_module("homeground.engines.exported.model")
    opened = room.open_session

    def spy(*values: Any, threads: int | None = None, **named: Any) -> Any:
        asked.append(threads)
        return opened(*values, threads=threads, **named)

    monkeypatch.setattr(room, "open_session", spy)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        done = export(labelled, output=tmp_path / "it")
    finally:
        torch.set_num_threads(before)
    assert done["speed"]["threads"] == 1 and asked == [1, 1]
    checkpoint = open_checkpoint(str(tmp_path / "it"))
    for variable, threads, expected in (("1,4", None, "1"), ("3", None, "3"), ("3", 2, "2")):
        monkeypatch.setenv("OMP_NUM_THREADS", variable)
        model = room.open_model(checkpoint, head=checkpoint.exported.head, threads=threads)
        assert model.describe()["threads"] == expected


def test_the_command_prints_where_it_is_and_what_was_measured(
    exported: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(["export", str(exported.folder), "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "openvino"
    assert typed(["export", str(exported.folder)]) == 0
    printed = capsys.readouterr()
    assert "exports/openvino (" in printed.out and "times as fast as torch" in printed.err.replace("\n", " ")
    assert "openvino equals the model but for rounding (largest difference of probabilities" in printed.err


def test_the_sentence_is_wrapped_in_a_terminal(
    exported: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    assert typed(["export", str(exported.folder), "--quiet"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) > 2 and max(map(len, lines)) <= 60


def test_stopped_it_does_not_promise_to_continue(
    exported: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("homeground.workflows.export.export", stopped)
    assert typed(["export", str(exported.folder)]) == 130
    assert "stopped; nothing was written, and the same command starts anew" in capsys.readouterr().err


def test_a_copy_of_an_export_is_one(exported: Run, tmp_path: Path) -> None:
    model = homeground.load(exported, engine="openvino")
    copy = homeground.load(model.save(tmp_path / "copy"))
    assert np.array_equal(answers(copy, TEXTS), answers(model, TEXTS))
    assert open_checkpoint(str(tmp_path / "copy")).sha256 == model.checkpoint.sha256
