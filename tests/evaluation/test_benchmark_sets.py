"""The STS Benchmark by its name: fetched from the Hub at one commit, kept in the cache, and never taken for a path."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants
from tests.conftest import FAST, topic_pairs
from tests.hub import Fault, Hub

import homeground
from homeground.cli import run as typed
from homeground.data.examples import Example
from homeground.errors import HubError
from homeground.evaluation.general_sets import BENCHMARK_SETS, Domain, read_general_sets
from homeground.recipe.recipe import make_recipe, names_benchmark, read_recipe
from homeground.results.run import Run
from homeground.storage import read_json
from homeground.tasks.classification.spec import ClassificationSpec
from homeground.tasks.similarity.similarity import Similarity
from homeground.tasks.similarity.spec import SimilaritySpec
from homeground.workflows.adapt import resolve

NAME = "sts-benchmark"
KNOWN = BENCHMARK_SETS[NAME]
SCORED = SimilaritySpec({"text_1": "a", "text_2": "b", "similarity": "c"}, "cosine_mse", "pearson")
UNUSED: Any = None


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A Hub with the benchmark's data set, a cache of its own, and a working folder without files."""
    folder = tmp_path / "served"
    folder.mkdir()
    for number, name in enumerate((KNOWN.decides, KNOWN.chooses)):
        lines = [
            {"split": "x", "genre": "main-news", "sid": place, "score": 5 * score, "sentence1": one, "sentence2": two}
            for place, (one, two, score) in enumerate(topic_pairs(60 - 10 * number, seed=70 + number))
        ]
        content = "".join(json.dumps(line) + "\n" for line in lines).encode()
        (folder / name).write_bytes(gzip.compress(content, mtime=0))
    repository = f"datasets/{KNOWN.repository}"
    with Hub({repository: folder}) as served:
        served.pinned = {repository: KNOWN.revision}
        template = served.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "ENDPOINT", served.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        (tmp_path / "here").mkdir()
        monkeypatch.chdir(tmp_path / "here")
        yield served


def pairs(**settings: Any) -> Domain:
    """Return a domain of scored pairs; its checkpoint is not read."""
    return Domain(make_recipe({"data": "pairs.csv"}, **settings), SCORED, SCORED.with_splits({}, None), UNUSED)


def test_the_test_part_decides_with_scores_from_0_to_5(hub: Hub) -> None:
    decides, chooses = read_general_sets(pairs(general=NAME))
    assert decides is not None and chooses is None
    assert (decides.name, len(decides.examples)) == (NAME, 60)
    assert {example.score for example in decides.examples} == {0.5, 0.9}
    assert decides.source == {
        "name": NAME,
        "repository": "mteb/stsbenchmark-sts",
        "revision": KNOWN.revision,
        "file": "test.jsonl.gz",
    }


def test_the_validation_part_chooses_so_that_nothing_is_cut(hub: Hub) -> None:
    decides, chooses = read_general_sets(pairs(keep_general=NAME))
    assert decides is not None and chooses is not None
    assert (len(decides.examples), len(chooses.examples)) == (60, 50)
    assert chooses.source["file"] == "validation.jsonl.gz"


def test_a_classifier_s_body_is_measured_on_it_whatever_its_columns_are_called(hub: Hub) -> None:
    spec = ClassificationSpec({"text": "t", "label": "genre"}, "cross_entropy", "accuracy")
    labelled = [Example(1, ("x",), labels=("a",)), Example(2, ("y",), labels=("b",))]
    domain = Domain(make_recipe({"data": "texts.csv"}, general=NAME), spec, spec.for_labels("ab", labelled), UNUSED)
    decides, _ = read_general_sets(domain)
    assert decides is not None
    assert isinstance(decides.task, Similarity)


def test_once_fetched_it_is_there_without_a_network(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = read_general_sets(pairs(general=NAME))
    requests = len(hub.requests)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert read_general_sets(pairs(general=NAME))[0] == first
    assert len(hub.requests) == requests


@pytest.mark.parametrize("fault", [Fault(401), Fault(404), Fault(429), Fault(503), Fault("drop"), None])
def test_where_it_cannot_be_fetched_the_way_out_is_named(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, fault: Fault | None
) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    hub.fault = fault
    if fault is None:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(HubError, match=r"give a file of scored pairs instead: --general FILE") as caught:
        read_general_sets(pairs(general=NAME))
    assert caught.value.exit_code == 4


def test_a_file_of_that_name_goes_before_it(hub: Hub, tmp_path: Path) -> None:
    assert names_benchmark(NAME)
    rows = [("main-news", "f", "2012", "1", str(5 * score), one, two) for one, two, score in topic_pairs(20)]
    Path(NAME).write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
    assert not names_benchmark(NAME)
    decides, _ = read_general_sets(pairs(general=NAME))
    assert decides is not None
    assert (len(decides.examples), decides.source, hub.requests) == (20, {}, [])
    beside = tmp_path / "here" / "recipe.toml"
    beside.write_text(f'data = "pairs.csv"\n[evaluation]\ngeneral = "{NAME}"\n')
    assert read_recipe(beside)["evaluation"]["general"] == str(tmp_path / "here" / NAME)


def test_in_a_recipe_it_stays_a_name(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(
        f'data = "pairs.csv"\n[evaluation]\ngeneral = "{NAME}"\nkeep_general = "{NAME}"\n'
    )
    read = resolve(tmp_path / "recipe.toml")
    assert (read.evaluation.general, read.evaluation.keep_general) == (NAME, NAME)
    written = read.to_toml(tmp_path / "runs" / "x")
    assert f'general = "{NAME}"' in written
    assert f'keep_general = "{NAME}"' in written


def test_a_run_records_the_commit_and_is_known_again(
    hub: Hub, pairs_csv: Path, encoder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {**FAST, "epochs": 1, "bootstrap_draws": 200}
    run = homeground.adapt(pairs_csv, checkpoint=str(encoder), general=NAME, out="runs/x", **settings)
    assert read_json(run.folder / "data.json")["benchmarks"] == [
        {"name": NAME, "repository": KNOWN.repository, "revision": KNOWN.revision, "file": KNOWN.decides}
    ]
    assert run.scores["general"]["name"] == NAME
    finished = run.record["finished"]
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert typed(["adapt", "runs/x/recipe.toml", "--out", "runs/x", "--json", "--quiet"]) == 0, capsys.readouterr().err
    assert Run(run.folder).record["finished"] == finished
