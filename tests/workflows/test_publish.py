"""A run becomes a repository on the Hub: what is sent, what is refused, and what an interrupted upload leaves."""

from __future__ import annotations

import csv
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pytest
from huggingface_hub import ModelCard, constants
from tests.classifying import lively, topic_texts
from tests.hub import Fault
from tests.runs import listed_anew
from tests.uploads import WritableHub

import homeground
from homeground.cli import run as typed
from homeground.errors import CheckpointError, HomegroundError, HubError, UsageError
from homeground.results.run import Run
from homeground.storage import file_hash, read_json, write_json
from homeground.workflows.publish import PUBLISHED, publish

SECRET = "hf_notARealTokenJustForTheTest"
NAME = "alice/tiny"
SLEEP = time.sleep
room = importlib.import_module("homeground.workflows.publish")
repository = importlib.import_module("homeground.checkpoint.upload")


@pytest.fixture
def run(finished: Run, tmp_path: Path) -> Run:
    """A finished run of its own, in a folder with a private name."""
    return Run(Path(shutil.copytree(finished.folder, tmp_path / "secret-customer")))


@pytest.fixture
def hub(tmp_path: Path, run: Run) -> Iterator[WritableHub]:
    with WritableHub(tmp_path / "served") as served:
        weights = run.model_folder / "model.safetensors"
        served.known = {file_hash(weights): weights}
        yield served


@pytest.fixture
def online(hub: WritableHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WritableHub:
    """The same, and huggingface_hub in this process pointed at it, by LFS, with a token and without its patience."""
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", SECRET)
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    return hub


def served(hub: WritableHub) -> dict[str, bytes]:
    return {name: path.read_bytes() for name, path in hub.files(NAME).items() if name != ".gitattributes"}


# ---- What is sent ----------------------------------------------------------------------------------------------------


def test_a_run_is_published_in_one_commit_and_read_back(run: Run, online: WritableHub) -> None:
    done = publish(run, NAME)

    assert len(online.commits[NAME]) == 2
    assert done["commit"] == online.commits[NAME][-1]
    sent = served(online)
    assert set(sent) == set(done["files"])
    assert {"config.json", "model.safetensors", "tokenizer.json", "modules.json", "homeground.json"} <= set(sent)
    for name in set(sent) - {"README.md", "manifest.json"}:
        assert sent[name] == (run.model_folder / name).read_bytes()
    manifest = json.loads(sent["manifest.json"])["files"]
    assert set(manifest) == set(sent) - {"manifest.json"}
    receipt = read_json(run.folder / "publish.json")
    assert (receipt["repository"], receipt["commit"]) == (NAME, done["commit"])
    assert receipt["files"]["README.md"]["sha256"] == manifest["README.md"]["sha256"]
    commit = next(body for body in online.payloads if b'"key": "header"' in body)
    assert json.loads(commit.splitlines()[0])["value"]["parentCommit"] == online.commits[NAME][0]


def test_the_same_command_again_commits_nothing(run: Run, online: WritableHub) -> None:
    publish(run, NAME)
    receipt = (run.folder / "publish.json").read_bytes()
    online.requests.clear()
    again = publish(run, NAME)
    assert (again["changed"], again["removed"]) == ([], [])
    assert len(online.commits[NAME]) == 2
    assert not [request for request in online.requests if request.startswith("PUT") or COMMIT in request]
    assert (run.folder / "publish.json").read_bytes() == receipt


def test_a_changed_card_sends_the_card_alone_and_takes_an_older_model_s_files_away(
    run: Run, online: WritableHub
) -> None:
    publish(run, NAME)
    for stale in ("2_Dense/model.safetensors", "notes.txt"):
        path = online.repositories[NAME] / stale
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"old")
    done = publish(run, NAME, language="en", license="mit")
    assert done["changed"] == ["README.md", "manifest.json"]
    assert done["removed"] == ["2_Dense/model.safetensors"]
    assert "notes.txt" in served(online)
    assert len(online.commits[NAME]) == 3


def test_a_published_model_answers_as_the_run_s_own(
    run: Run, online: WritableHub, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(run, NAME)
    asked = ["predict", "bank loan", "court judge", "city road", "--json"]
    answers: list[str] = []
    for source in (str(run.folder), NAME):
        assert typed([asked[0], source, *asked[1:]]) == 0
        answers.append(capsys.readouterr().out)
    assert answers[0] == answers[1]
    texts = ["bank loan", "a nurse", ""]
    np.testing.assert_array_equal(homeground.load(NAME).encode(texts), homeground.load(run).encode(texts))


def test_a_classifier_is_published_as_one(tmp_path: Path, online: WritableHub) -> None:
    with (tmp_path / "topics.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["text", "label"], *topic_texts(400, noise=1)])
    body = lively(tmp_path / "body", "distilbert")
    fast: dict[str, Any] = {"epochs": 1, "learning_rate": 2e-3, "bootstrap_draws": 200}
    run = homeground.adapt(tmp_path / "topics.csv", checkpoint=str(body), out=str(tmp_path / "topics"), **fast)
    publish(run, NAME, include_examples=True)
    card = ModelCard(served(online)["README.md"].decode())
    assert card.data.pipeline_tag == "text-classification"
    assert f'pipeline("text-classification", model="{NAME}")' in card.text
    assert "| text | label | before | after |" in card.text
    texts = ["bank loan money", "court law judge"]
    published = homeground.load(NAME)
    np.testing.assert_array_equal(published.predict_proba(texts), homeground.load(run).predict_proba(texts))


def test_a_private_repository_is_made_private_and_a_public_one_is_refused(run: Run, online: WritableHub) -> None:
    assert publish(run, NAME, private=True)["private"]
    assert online.private == {NAME}
    online.create("alice/open")
    with pytest.raises(HubError, match="is public; make it private"):
        publish(run, "alice/open", private=True)
    assert len(online.commits["alice/open"]) == 1


def test_the_model_of_someone_else_is_not_written_over(run: Run, online: WritableHub) -> None:
    online.create(NAME)
    (online.repositories[NAME] / "pytorch_model.bin").write_bytes(b"precious")
    with pytest.raises(UsageError, match="did not publish"):
        publish(run, NAME)
    assert len(online.commits[NAME]) == 1


# ---- The card --------------------------------------------------------------------------------------------------------


def dry(run: Run, **options: Any) -> ModelCard:
    return ModelCard(publish(run, NAME, dry_run=True, **options)["card"])


def test_the_card_tells_verdict_data_and_how_to_load(run: Run) -> None:
    card = dry(run, language="en,de", license="mit")
    assert (card.data.language, card.data.license, card.data.model_name) == (["en", "de"], "mit", "tiny")
    assert card.data.eval_results
    assert f'homeground.load("{NAME}")' in card.text
    assert f'SentenceTransformer("{NAME}")' in card.text
    assert run.record["identity"]["data"]["train"] in card.text
    assert "General ability:" in card.text
    assert re.search(r"; measured on \d+ pairs of general\.csv\.", card.text)


def test_the_card_holds_neither_texts_nor_paths_unless_examples_are_asked_for(run: Run) -> None:
    texts = [json.loads(line)["text_1"] for line in (run.folder / "examples.jsonl").read_text().splitlines()]
    plain, shown = dry(run), dry(run, include_examples=True)
    assert not [text for text in texts if text in plain.content]
    assert texts[0] in shown.text
    for card in (plain, shown):
        assert str(run.folder.parents[1]) not in card.content  # nor that of the checkpoint or the data
        assert "secret-customer" not in card.content
        assert card.data.language is None


def test_the_licence_is_the_checkpoint_s_own_where_that_is_known(
    run: Run, online: WritableHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    none = publish(run, NAME, dry_run=True)
    assert ModelCard(none["card"]).data.license is None
    assert "give one with --license" in none["notes"][0]

    def adapted(name: str, revision: str | None) -> None:
        data = read_json(run.folder / "data.json")
        checkpoint = {"name": name, "revision": revision, "sha256": "0"}
        write_json(run.folder / "data.json", {**data, "checkpoint": checkpoint})
        listed_anew(run.folder)

    adapted("minilm", None)
    assert dry(run).data.license == "apache-2.0"
    online.create("bob/base")
    (online.repositories["bob/base"] / "README.md").write_text("---\nlicense: cc-by-4.0\n---\n# Base\n")
    adapted("bob/base", online.commit("bob/base"))
    card = dry(run)
    assert (card.data.license, card.data.base_model) == ("cc-by-4.0", "bob/base")
    assert dry(run, license="mit").data.license == "mit"
    adapted("bob/none", "0" * 40)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert "looked up when" in publish(run, NAME, dry_run=True)["notes"][0]
    with pytest.raises(HomegroundError):
        publish(run, NAME)


# ---- What is refused before anything is sent -------------------------------------------------------------------------


def test_a_dry_run_needs_neither_token_nor_network_and_writes_nothing(
    run: Run, hub: WritableHub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    before = sorted(run.folder.rglob("*"))
    assert typed(["publish", str(run.folder), NAME, "--dry-run", "--private"]) == 0
    printed = capsys.readouterr()
    assert "HELPED" in printed.out or "NO EVIDENCE" in printed.out
    assert f"{NAME} would be private" in printed.out
    assert "model.safetensors" in printed.out
    assert hub.requests == []
    assert sorted(run.folder.rglob("*")) == before


def test_what_is_no_part_of_a_model_is_left_out_by_name(run: Run) -> None:
    for name in ("notes.txt", ".DS_Store", "training_data.csv"):
        (run.model_folder / name).write_text("x")
    done = publish(run, NAME, dry_run=True)
    assert done["left_out"] == [".DS_Store", "notes.txt", "training_data.csv"]
    assert all(PUBLISHED.fullmatch(name) for name in done["files"])


@pytest.mark.parametrize("name", ["optimizer.pt", "pytorch_model.bin", "1_Pooling/x.pkl", "merges.txt"])
def test_pickles_and_files_the_run_did_not_write_are_refused(run: Run, name: str) -> None:
    (run.model_folder / name).write_bytes(b"x")
    with pytest.raises(CheckpointError, match="take it out of the folder"):
        publish(run, NAME, dry_run=True)


def test_links_are_refused(run: Run, tmp_path: Path) -> None:
    (run.model_folder / "passwords").symlink_to(tmp_path)
    with pytest.raises(CheckpointError, match="a link"):
        publish(run, NAME, dry_run=True)


def test_a_folder_that_is_not_as_it_was_written_is_refused_but_for_its_card(run: Run) -> None:
    (run.model_folder / "README.md").write_text("# My own words")
    publish(run, NAME, dry_run=True)
    weights = run.model_folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"damaged model\.safetensors"):
        publish(run, NAME, dry_run=True)


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({"repository": "tiny"}, "USER/NAME"),
        ({"repository": "alice/../tiny"}, "USER/NAME"),
        ({"language": "english"}, "no code of a language"),
        ({"license": "My Licence"}, "as the Hub knows them"),
    ],
)
def test_names_that_cannot_be_are_refused(run: Run, options: dict[str, str], advice: str) -> None:
    with pytest.raises(UsageError, match=advice):
        publish(run, **{"repository": NAME, "dry_run": True, **options})  # type: ignore[arg-type]


def test_only_a_finished_run_is_published(run: Run, tmp_path: Path) -> None:
    run.write_record(state="running")
    with pytest.raises(UsageError, match="not finished"):
        publish(run, NAME)
    with pytest.raises(UsageError, match="no run"):
        publish(tmp_path / "nowhere", NAME)


def test_without_a_token_it_is_said_how_to_get_one(
    run: Run, online: WritableHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    with pytest.raises(HubError, match="hf auth login"):
        publish(run, NAME)
    assert online.requests == []


# ---- What the Hub refuses --------------------------------------------------------------------------------------------

CREATE, LOOK, TREE = "/api/repos/create", "GET /api/models/alice/tiny", "/tree/"
CARD, MODES, BATCH, PUT, VERIFY, COMMIT = (
    "/validate-yaml",
    "/preupload/",
    "/objects/batch",
    "PUT /lfs",
    "/verify",
    "/commit/",
)


XET = "xet-write-token"
REFUSALS: dict[int | str, str] = {
    401: "hf auth login",
    403: "write access",
    404: "check the spelling",
    409: "someone else is changing",
    412: "changed by someone else",
    429: "too many requests",
    503: "the Hub failed",
    "drop": "check the network",
}
POINTS = [(kind, on) for on in (CREATE, COMMIT) for kind in REFUSALS if (kind, on) != (409, CREATE)]
POINTS += [(kind, on) for on in (LOOK, TREE, CARD, MODES, BATCH, PUT, VERIFY) for kind in (503, "drop")]


@pytest.mark.parametrize(("kind", "on"), POINTS)
def test_every_refusal_says_what_to_do_and_the_next_attempt_ends_well(
    run: Run, online: WritableHub, kind: int | str, on: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "load_back", lambda folder: None)
    online.fault = Fault(kind, on=on)
    with pytest.raises(HubError, match=REFUSALS[kind]) as caught:
        publish(run, NAME)
    assert SECRET not in str(caught.value)
    assert len(online.commits.get(NAME, [0])) == 1
    online.fault = None
    publish(run, NAME)
    assert len(online.commits[NAME]) == 2


def test_a_hub_that_says_nothing_is_given_up(run: Run, online: WritableHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository, "TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(time, "sleep", SLEEP)
    online.fault = Fault("slow", on=CREATE, seconds=0.5)
    with pytest.raises(HubError, match="did not answer in time"):
        publish(run, NAME)
    assert huggingface_hub.get_session().timeout.read is None


def test_a_commit_in_between_is_not_written_over(run: Run, online: WritableHub) -> None:
    online.create(NAME)

    class Watching(dict[str, bytes]):
        def __setitem__(self, key: str, value: bytes) -> None:
            super().__setitem__(key, value)
            online.add(NAME, Path(shutil.copytree(online.repositories[NAME], online.root / "other")))

    online.objects = Watching()
    with pytest.raises(HubError, match="changed by someone else"):
        publish(run, NAME)
    online.objects = dict(online.objects)
    publish(run, NAME)
    assert len(online.commits[NAME]) == 3


def test_a_commit_whose_answer_was_lost_is_found_and_not_made_twice(run: Run, online: WritableHub) -> None:
    online.after = Fault("drop", on=COMMIT)
    with pytest.raises(HubError, match="check the network"):
        publish(run, NAME)
    online.after = None
    assert publish(run, NAME)["changed"] == []
    assert len(online.commits[NAME]) == 2
    assert read_json(run.folder / "publish.json")["commit"] == online.commits[NAME][-1]


def test_a_file_that_arrives_otherwise_is_noticed(run: Run, online: WritableHub) -> None:
    take = online.take

    def careless(name: str, lines: list[dict[str, Any]]) -> str:
        commit = take(name, lines)
        (online.folders[commit] / "config.json").write_text("{}")
        return commit

    online.take = careless  # type: ignore[method-assign]
    with pytest.raises(HubError, match=r"config\.json did not arrive as it was sent"):
        publish(run, NAME)
    assert not (run.folder / "publish.json").exists()


# ---- Processes of their own: both paths, and kill -9 -----------------------------------------------------------------

# Imports once, then publishes in a new process for every line it is given.
PUBLISHER = """
import importlib, json, os, sys
room = importlib.import_module("homeground.workflows.publish")
from huggingface_hub import constants
from homeground.errors import HomegroundError
room.load_back = lambda folder: None
for line in sys.stdin:
    asked = json.loads(line)
    if child := os.fork():
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        continue
    print(os.getpid(), flush=True)
    constants.ENDPOINT = asked["url"]
    constants.HF_HUB_DISABLE_XET = asked["path"] == "lfs"
    said = ""
    try:
        room.publish(asked["folder"], asked["name"])
    except HomegroundError as error:
        said = str(error)
    print(json.dumps(said), flush=True)
    os._exit(4 if said else 0)
"""


class Publisher:
    """Publishes by LFS or by Xet, each time in a process of its own."""

    def __init__(self, home: Path) -> None:
        self.variables = {
            **os.environ,
            "PYTHONPATH": str(Path(homeground.__file__).parents[1]),
            "HF_HOME": str(home),
            "HF_TOKEN": SECRET,
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", PUBLISHER],
            env=self.variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def publish(self, run: Run, hub: WritableHub, path: str) -> tuple[int, str]:
        """Return the exit status of the process, and what it said last."""
        assert self.process.stdin is not None and self.process.stdout is not None
        asked = {"folder": str(run.folder), "name": NAME, "url": hub.url, "path": path}
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        hub.victims.put(int(self.process.stdout.readline()))
        said = self.process.stdout.readline()
        return (int(said), "") if said.startswith("-") else (int(self.process.stdout.readline()), json.loads(said))


@pytest.fixture(scope="module")
def publisher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Publisher]:
    made = Publisher(tmp_path_factory.mktemp("home"))
    yield made
    assert made.process.stdin is not None
    made.process.stdin.close()
    made.process.wait(10)


MOMENTS = [("lfs", on, "before") for on in (CREATE, TREE, MODES, BATCH, PUT, VERIFY, COMMIT)]
MOMENTS += [("lfs", on, "after") for on in (CREATE, PUT, COMMIT)]
MOMENTS += [("xet", MODES, "before"), ("xet", XET, "before"), ("xet", COMMIT, "before"), ("xet", COMMIT, "after")]


@pytest.mark.parametrize(("path", "moment", "when"), MOMENTS)
def test_killed_at_any_moment_the_next_attempt_makes_the_one_commit(
    run: Run, hub: WritableHub, publisher: Publisher, path: str, moment: str, when: str
) -> None:
    fault = Fault("kill", on=moment)
    hub.fault, hub.after = (fault, None) if when == "before" else (None, fault)
    assert publisher.publish(run, hub, path) == (-9, "")
    assert not (run.folder / "publish.json").exists()
    hub.fault = hub.after = None
    assert publisher.publish(run, hub, path) == (0, "")
    assert len(hub.commits[NAME]) == 2
    assert set(served(hub)) == set(read_json(run.folder / "publish.json")["files"])


def test_by_xet_the_weights_pass_another_door(run: Run, hub: WritableHub, publisher: Publisher) -> None:
    assert publisher.publish(run, hub, "xet") == (0, "")
    assert hub.objects == {}
    weights = (run.model_folder / "model.safetensors").stat().st_size
    assert sum(path.stat().st_size for path in hub.cas.rglob("*") if path.is_file()) > weights / 2
    assert not any(request.startswith("PUT") for request in hub.requests)
    (hub.folders[hub.commit(NAME)] / "model.safetensors").unlink()
    for kind, advice in ((403, "write access"), (401, "hf auth login")):
        hub.fault = Fault(kind, on=XET)
        status, said = publisher.publish(run, hub, "xet")
        assert status == 4
        assert advice in said


def test_the_token_is_in_no_output_and_no_file(
    run: Run, online: WritableHub, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    printed = ""
    for fault in (Fault(401, on=CREATE), Fault("drop", on=PUT), Fault(403, on=COMMIT), None):
        online.fault = fault
        assert typed(["publish", str(run.folder), NAME, "--debug"]) == (4 if fault else 0)
        out, err = capfd.readouterr()
        printed += out + err
    assert "Traceback" in printed
    assert f"Bearer {SECRET}" in online.authorizations
    assert SECRET not in printed
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]


def test_a_user_s_own_process_asks_the_hub_that_hf_endpoint_names(hub: WritableHub, publisher: Publisher) -> None:
    program = 'from homeground.checkpoint.upload import open_repository; open_repository("alice/tiny", private=True)'
    hub.fault = Fault(401, on=CREATE)
    variables = {**publisher.variables, "HF_ENDPOINT": hub.url}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert "hf auth login" in done.stderr
    assert hub.requests[0] == f"POST {CREATE}"
    assert SECRET not in done.stdout + done.stderr


def test_the_command_says_what_it_sent_and_what_it_left_out(
    run: Run, online: WritableHub, capsys: pytest.CaptureFixture[str]
) -> None:
    (run.model_folder / "notes.txt").write_text("x")
    assert typed(["publish", str(run.folder), NAME, "--license", "mit"]) == 0
    printed = capsys.readouterr()
    assert f"{online.url}/{NAME} at commit {online.commits[NAME][-1]}" in printed.out
    assert "left out: notes.txt" in printed.err
    assert typed(["publish", str(run.folder), NAME, "--license", "mit"]) == 0
    assert "nothing has changed" in capsys.readouterr().out
    assert typed(["publish", str(run.folder), NAME, "--license", "mit", "--json", "--quiet"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["commit"] == online.commits[NAME][-1]
    assert printed.err == ""
