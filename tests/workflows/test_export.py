"""The model of a run for other runtimes: equal answers, measured scores, and what is refused or left behind."""

from __future__ import annotations

import csv
import json
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.classifying import lively, topic_texts
from tests.conftest import FAST
from tests.runs import Broken
from tests.tagging import tagged_texts, write_tagged

import homeground
from homeground.checkpoint import open_checkpoint
from homeground.cli import run as typed
from homeground.errors import CheckpointError, DiskError, ExportRefused, UsageError
from homeground.results.publication import read_export
from homeground.results.run import Run
from homeground.storage import read_json, sealed, write_json, write_manifest
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
    settings: dict[str, Any] = {**FAST, "cross_fit": 0, "test": 0.4, "quiet": True}
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
    assert "| openvino-int8 |" in card and "| openvino |" in card
    assert export(own, int8=True, margin=0.3)["time"] == done["time"]
    # What was accepted with a margin of the user's own is no answer to a call without one.
    with pytest.raises(ExportRefused):
        export(own, int8=True)
    # The card is part of the model's folder, which must still be as its manifest says.
    labels = homeground.load(own).classes_
    assert homeground.load(own, engine="openvino-int8").predict("bank loan") in labels


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
    assert export(run)["verdict"] == "EQUAL"


# ---- What is there already, and what was changed ---------------------------------------------------------------------


def test_the_same_call_again_returns_what_is_there(own: Run) -> None:
    written = (own.folder / "exports" / "openvino" / "export.json").read_bytes()
    assert export(own)["verdict"] == "EQUAL"
    assert (own.folder / "exports" / "openvino" / "export.json").read_bytes() == written


@pytest.mark.parametrize("name", ["openvino_model.bin", "openvino_model.xml", "tokenizer.json", "config.json"])
def test_a_changed_file_is_refused_by_its_hash(name: str, own: Run) -> None:
    path = own.folder / "exports" / "openvino" / name
    path.write_bytes(path.read_bytes().replace(b"a", b"b", 1) + b" ")
    with pytest.raises(CheckpointError, match="export the run again"):
        homeground.load(own, engine="openvino")
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


def test_a_link_in_an_export_is_not_followed(own: Run, tmp_path: Path) -> None:
    path = own.folder / "exports" / "openvino" / "openvino_model.bin"
    path.rename(tmp_path / "elsewhere.bin")
    path.symlink_to(tmp_path / "elsewhere.bin")
    with pytest.raises(CheckpointError, match="a link that leaves"):
        homeground.load(own, engine="openvino")


def test_an_export_of_other_weights_than_the_run_has_is_refused(own: Run) -> None:
    folder = own.folder / "exports" / "openvino"
    record = {name: value for name, value in read_json(folder / "export.json").items() if name != "sha256"}
    record["source"]["weights"] = {"model.safetensors": "0" * 64}
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


def test_the_command_prints_where_it_is_and_what_was_measured(
    exported: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(["export", str(exported.folder), "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "openvino"
    assert typed(["export", str(exported.folder)]) == 0
    printed = capsys.readouterr()
    assert "exports/openvino (" in printed.out and "times as fast as torch" in printed.err.replace("\n", " ")


def test_a_copy_of_an_export_is_one(exported: Run, tmp_path: Path) -> None:
    model = homeground.load(exported, engine="openvino")
    copy = homeground.load(model.save(tmp_path / "copy"))
    assert np.array_equal(answers(copy, TEXTS), answers(model, TEXTS))
    assert open_checkpoint(str(tmp_path / "copy")).sha256 == model.checkpoint.sha256
