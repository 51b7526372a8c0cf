"""A checkpoint from the Hub: what is downloaded, what is kept, and what every refusal says."""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.checkpoint.conftest import AUTO_MAP, change, python
from tests.hub import Fault, Hub

from homeground.checkpoint import open_checkpoint
from homeground.checkpoint.download import refusal
from homeground.errors import CheckpointError, DiskError, HomegroundError, HubError

SECRET = "hf_notARealTokenJustForTheTest"


@pytest.fixture
def served(built: Path, tmp_path: Path) -> Iterator[Hub]:
    """A Hub with one repository that also holds what must never be asked for."""
    folder = Path(shutil.copytree(built / "encoder", tmp_path / "served"))
    for name in ("pytorch_model.bin", "tf_model.h5", "modeling_evil.py", "onnx/model.onnx", "onnx/config.json"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"never")
    (folder / "README.md").write_text(f"not needed; unlike any other served here: {tmp_path}")
    with Hub({"alice/tiny": folder}) as hub:
        yield hub


@pytest.fixture
def online(served: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """The same, and huggingface_hub in this process pointed at it, with a cache of its own and a token."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", served.url)
    template = served.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_TOKEN", SECRET)
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    return served


PROGRAM = """
from homeground.checkpoint import open_checkpoint
from homeground.errors import HomegroundError
try:
    c = open_checkpoint("alice/tiny")
    print(c.revision, c.sha256, [m.kind for m in c.modules])
except HomegroundError as error:
    print(error.exit_code, error)
"""


def test_a_hub_model_is_downloaded_once_and_opened_offline_ever_after(served: Hub, built: Path, tmp_path: Path) -> None:
    variables = {"HF_ENDPOINT": served.url, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": SECRET}
    before = python(PROGRAM, **variables, HF_HUB_OFFLINE="1")
    first = python(PROGRAM, **variables)
    requests = list(served.requests)
    offline = python(PROGRAM, **variables, HF_HUB_OFFLINE="1")
    assert before.stdout.startswith("4 "), before.stderr
    assert "HF_HUB_OFFLINE" in before.stdout
    expected = open_checkpoint(str(built / "encoder"))
    kinds = "['Transformer', 'Pooling', 'Dense', 'Normalize']"
    assert first.stdout == f"{served.commit('alice/tiny')} {expected.sha256} {kinds}\n", first.stderr
    assert offline.stdout == first.stdout
    assert served.requests == requests
    assert not [r for r in requests if r.endswith((".bin", ".h5", ".py", ".onnx", "onnx/config.json", "README.md"))]
    assert not [r for r in requests if "agent" in r or "telemetry" in r]
    assert f"Bearer {SECRET}" in served.authorizations
    assert SECRET not in first.stdout + first.stderr + before.stdout + before.stderr


def test_a_slow_hub_is_given_up_with_advice(served: Hub, tmp_path: Path) -> None:
    served.fault = Fault("slow", on="/api/", seconds=2.5)
    variables = {"HF_ENDPOINT": served.url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_DOWNLOAD_TIMEOUT": "1"}
    done = python(PROGRAM, **variables)
    assert done.stdout.startswith("4 "), done.stderr
    assert "did not answer in time" in done.stdout


def test_the_revision_asked_for_is_the_one_recorded(online: Hub) -> None:
    commit = online.commit("alice/tiny")
    assert open_checkpoint("alice/tiny", revision="main").revision == commit
    assert open_checkpoint("alice/tiny", revision=commit).revision == commit
    with pytest.raises(HubError, match='no revision "v9"'):
        open_checkpoint("alice/tiny", revision="v9")


def test_a_snapshot_of_the_cache_can_be_named_as_a_folder(online: Hub) -> None:
    checkpoint = open_checkpoint("alice/tiny")
    assert (checkpoint.folder / "model.safetensors").is_symlink()
    assert open_checkpoint(str(checkpoint.folder)).sha256 == checkpoint.sha256


def test_a_repository_of_pickles_is_refused_with_the_way_out(online: Hub) -> None:
    (online.repositories["alice/tiny"] / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"pytorch_model\.bin.*homeground convert"):
        open_checkpoint("alice/tiny")
    assert not any(request.endswith(".bin") for request in online.requests)


def test_harmful_settings_from_the_hub_are_refused_too(online: Hub) -> None:
    change(online.repositories["alice/tiny"] / "config.json", auto_map=AUTO_MAP)
    with pytest.raises(CheckpointError, match="auto_map"):
        open_checkpoint("alice/tiny")


GATED = (("X-Error-Code", "GatedRepo"),)


@pytest.mark.parametrize(
    ("fault", "kind", "advice"),
    [
        (Fault(401), HubError, "hf auth login"),
        (Fault(401, on="/resolve/"), HubError, "hf auth login"),
        (Fault(403), HubError, "ask for access"),
        (Fault(403, on="/resolve/"), HubError, "ask for access"),
        (Fault(403, headers=GATED), HubError, "ask for access"),
        (Fault(404, headers=(("X-Error-Code", "RepoNotFound"),)), CheckpointError, "neither a folder here"),
        (Fault(429), HubError, "try again in some minutes"),
        (Fault(500), HubError, "try again in some minutes"),
        (Fault(503, on="/resolve/"), HubError, "try again in some minutes"),
        (Fault("drop"), HubError, "check the network"),
        (Fault("drop", on="GET /alice/tiny/resolve/"), HubError, "check the network"),
    ],
)
def test_every_refusal_of_the_hub_says_what_to_do(
    online: Hub, monkeypatch: pytest.MonkeyPatch, fault: Fault, kind: type[HomegroundError], advice: str
) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # huggingface_hub waits between its attempts
    online.fault = fault
    with pytest.raises(HomegroundError, match=advice) as caught:
        open_checkpoint("alice/tiny")
    assert type(caught.value) is kind
    assert SECRET not in str(caught.value)
    online.fault = None
    assert open_checkpoint("alice/tiny").revision == online.commit("alice/tiny")


def test_a_name_unknown_everywhere_is_refused_with_what_could_be_meant(online: Hub) -> None:
    with pytest.raises(CheckpointError, match=r'"minlm" is neither a folder here.*did you mean "minilm"'):
        open_checkpoint("minlm")


def test_a_full_disk_is_no_fault_of_the_network() -> None:
    error = refusal(OSError(errno.ENOSPC, "No space left on device"), name="alice/tiny")
    assert isinstance(error, DiskError)
    assert "free some space" in str(error)
