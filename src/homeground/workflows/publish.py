"""Publish a finished run on the Hub: check and reload the model, write its card, send one commit, read it back."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from homeground.checkpoint.download import fetch
from homeground.checkpoint.upload import (
    Content,
    RepositoryState,
    commit_files,
    is_stored,
    open_repository,
    require_repository_name,
    require_token,
    sha256_of,
    size_of,
    stored_files,
)
from homeground.errors import CheckpointError, HomegroundError, HubError, UsageError
from homeground.inference.loading import load
from homeground.reports.model_card import Publication, hub_name, model_card
from homeground.results.publication import PUBLICATION_VERSION, PublicationRecord, PublishedFile
from homeground.results.record import RunRecord, read_run
from homeground.results.run import Run
from homeground.storage import MANIFEST_VERSION, manifest_problem, now, read_json, write_json
from homeground.training.events import Notice, OnEvent, ignore

PUBLISHED = re.compile(
    r"(generation_|sentence_bert_)?config\.json|config_sentence_transformers\.json|homeground\.json|modules\.json"
    r"|model(-\d+-of-\d+)?\.safetensors|model\.safetensors\.index\.json"
    r"|tokenizer(_config)?\.json|special_tokens_map\.json|added_tokens\.json|vocab\.(txt|json)|merges\.txt"
    r"|[\w.-]+\.model|[1-9]_[A-Za-z]+/(config\.json|model\.safetensors)|README\.md|manifest\.json"
)
"""The files of a model, by their paths in its folder; nothing else is ever sent."""

WRITTEN_FOR_HUB = ("README.md", "manifest.json")
"""The files that are written anew for the Hub."""

PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".npy", ".npz", ".h5")
"""Endings of files that can run code when they are read, or contain weights in another format."""

KNOWN_LICENSES = {"minilm": {"license": "apache-2.0"}}
"""The licences of checkpoints that come with the package."""

LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z]{2,4})?|multilingual|code")
LICENSE = re.compile(r"[a-z0-9][a-z0-9.-]{1,39}")
SAMPLE_TEXTS = ("Does the model answer?", "It does, as before.")
"""Texts that the reloaded model must give finite predictions for."""


@dataclass(frozen=True)
class Release:
    """The contents of a repository before they are sent."""

    contents: Mapping[str, Content]
    """Path in the repository → the file, or its bytes where it was written for the Hub."""
    left_out: tuple[str, ...]
    """Files of the model's folder that are not part of a model."""
    notes: tuple[str, ...]
    """Remarks for the user, e.g. on the licence."""
    card: str
    """The model card, in Markdown."""

    def files(self) -> dict[str, PublishedFile]:
        """Return the size and sha256 of every file by its path."""
        return _entries(self.contents)


def publish(
    source: str | PathLike[str],
    repository: str,
    *,
    private: bool = False,
    dry_run: bool = False,
    language: str | None = None,
    license: str | None = None,
    include_examples: bool = False,
    on_event: OnEvent = ignore,
) -> dict[str, Any]:
    """Publish the model of a finished run as ``repository`` ("USER/NAME"), and return what is there now.

    Only the files of a model are sent, with a card that contains no text of the data unless ``include_examples`` is
    True. ``language`` (codes, "en,de") and ``license`` are copied to the card; the default licence is that of the
    checkpoint where it is known. All files are sent in one commit, so that nobody sees half a model. The same call
    again sends nothing if nothing has changed. ``dry_run`` does everything but write to the Hub, and needs no token.

    Raises:
        UsageError: the run is not finished, or a name, language or licence is not valid.
        CheckpointError: the model's folder is not as it was written, or contains what must not be published.
        HubError: what the network or the Hub refuses, and what to do.
    """
    run = Run(Path(source))
    require_repository_name(repository)
    _require_finished(run)
    languages = _languages(language)
    if license is not None and not LICENSE.fullmatch(license):
        raise UsageError(f'--license "{license}" is no name of a licence as the Hub knows them; e.g. apache-2.0 or mit')
    if not dry_run:
        require_token()
    record = read_run(run.folder)
    if record.checkpoint.saved_model:
        raise UsageError(
            f"{run.model_folder} is a SavedModel, a program for whoever loads it, and is not published; to share it "
            "all the same, upload the folder yourself with `hf upload`"
        )
    licensed, notes = _license(record, run.folder, license, dry_run=dry_run)
    on_event(Notice(f"checking {run.model_folder}"))
    release = make_release(run, record, Publication(repository, languages, licensed, include_examples), notes)
    load_back(run.model_folder)
    files = {name: file.to_json() for name, file in release.files().items()}
    result = {"repository": repository, "files": files, "left_out": [*release.left_out], "notes": [*notes]}
    if dry_run:
        return {**result, "dry_run": True, "private": private, "card": release.card}
    on_event(Notice(f"sending {len(release.contents)} files to {repository}"))
    return {**result, "dry_run": False, **_send(run, release, repository, private=private)}


def make_release(run: Run, record: RunRecord, published: Publication, notes: tuple[str, ...] = ()) -> Release:
    """Return the contents to publish from the model folder of a run, after checking that it is as it was written.

    Raises CheckpointError for links and pickles, and for a file of a model that the run did not write.
    """
    folder = run.model_folder
    if problem := manifest_problem(folder, besides=WRITTEN_FOR_HUB[:1]):
        raise CheckpointError(f"{folder}: {problem}; give the run's command again with --fresh")
    written: dict[str, Any] = read_json(folder / "manifest.json")["files"]
    contents: dict[str, Content] = {}
    left_out: list[str] = []
    for path in _walk(folder):
        name = path.relative_to(folder).as_posix()
        _refuse_harmful(path, name)
        if name in WRITTEN_FOR_HUB:
            continue
        if not PUBLISHED.fullmatch(name):
            left_out.append(name)
        elif name not in written:
            raise CheckpointError(f"{path}: the run did not write this file; take it out of the folder to publish")
        else:
            contents[name] = path
    card = model_card(record, published)
    contents["README.md"] = card.encode("utf-8")
    files = {name: file.to_json() for name, file in _entries(contents).items()}
    contents["manifest.json"] = (json.dumps({"version": MANIFEST_VERSION, "files": files}, indent=1) + "\n").encode()
    return Release(contents, tuple(left_out), notes, card)


def load_back(folder: Path) -> None:
    """Open a model's folder as a user would, and check its predictions for two texts.

    Raises CheckpointError where it cannot be opened, HomegroundError where a prediction is not finite.
    """
    if not np.isfinite(load(folder).figures(SAMPLE_TEXTS)).all():
        raise HomegroundError(f"{folder}: the model predicts values that are not finite; it is not published")


def _send(run: Run, release: Release, repository: str, *, private: bool) -> dict[str, Any]:
    """Send what the repository lacks in one commit, read all of it back, and write publish.json."""
    head = open_repository(repository, private=private)
    _refuse_foreign(repository, head)
    removed = sorted(name for name in head.files if PUBLISHED.fullmatch(name) and name not in release.contents)
    message = f"Publish {run.folder.resolve().name} with Homeground"
    commit = commit_files(repository, release.contents, removed=removed, parent=head.commit, message=message)
    stored = stored_files(repository, commit)
    for name, content in release.contents.items():
        if not is_stored(content, stored.get(name)):
            raise HubError(f"{repository}: {name} did not arrive as it was sent; give the same command again")
    record = PublicationRecord(
        version=PUBLICATION_VERSION,
        repository=repository,
        url=f"{_endpoint()}/{repository}",
        commit=commit,
        private=head.private,
        time=now(),
        files=release.files(),
    )
    path = run.folder / "publish.json"
    earlier: PublicationRecord | None = None
    with contextlib.suppress(OSError, ValueError):  # one that cannot be read is written anew
        earlier = PublicationRecord.model_validate(read_json(path))
    if earlier is None or (earlier.repository, earlier.commit) != (repository, commit):
        write_json(path, record.to_json())
    changed = sorted(name for name in release.contents if stored[name] != head.files.get(name))
    return {**record.model_dump(exclude={"time", "files"}), "changed": changed, "removed": removed}


def _refuse_foreign(repository: str, head: RepositoryState) -> None:
    """Refuse to overwrite a model that Homeground did not publish."""
    models = [name for name in head.files if name == "config.json" or name.endswith((".safetensors", *PICKLED))]
    if models and "homeground.json" not in head.files:
        raise UsageError(
            f'"{repository}" contains a model that Homeground did not publish ({models[0]}); name another repository'
        )


def _require_finished(run: Run) -> None:
    if not run.record:
        raise UsageError(f"{run.folder}: no run, because it has no run.json; name the folder of a finished run")
    if not run.finished:
        raise UsageError(f"{run.folder}: the run is not finished; give its command again, then publish it")


def _walk(folder: Path) -> Iterator[Path]:
    """Yield every file and link in a folder and its subfolders, in order, without following links."""
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)
        else:
            yield path


def _refuse_harmful(path: Path, name: str) -> None:
    if path.is_symlink():
        raise CheckpointError(f"{path}: a link, which is not published; replace it with the file, or remove it")
    if name.lower().endswith(PICKLED):
        raise CheckpointError(f"{path}: can run code when it is read, and is not published; take it out of the folder")


def _entries(contents: Mapping[str, Content]) -> dict[str, PublishedFile]:
    return {
        name: PublishedFile(sha256=sha256_of(content), size=size_of(content))
        for name, content in sorted(contents.items())
    }


def _endpoint() -> str:
    from huggingface_hub import constants

    return constants.ENDPOINT


def _languages(language: str | None) -> tuple[str, ...]:
    """Return the codes of ``en,de``."""
    codes = tuple(code.strip() for code in language.split(",")) if language is not None else ()
    for code in codes:
        if not LANGUAGE.fullmatch(code):
            raise UsageError(f'--language "{language}": "{code}" is no code of a language; e.g. en, zh or multilingual')
    return codes


def _license(
    record: RunRecord, folder: Path, license: str | None, *, dry_run: bool
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the metadata of the card on the licence, and a note where it has none.

    The default is the licence in the card of the checkpoint, on the Hub at the commit that was adapted, or in its
    folder.
    """
    if license is not None:
        return {"license": license}, ()
    name = record.checkpoint.name or ""
    if name in KNOWN_LICENSES:
        return KNOWN_LICENSES[name], ()
    try:
        metadata = _license_of(_base_card(record, folder))
    except HomegroundError:
        if not dry_run:
            raise
        return {}, ("the checkpoint's licence cannot be looked up now; it is looked up when the model is published",)
    if metadata:
        return metadata, ()
    return {}, ("the licence of the checkpoint is not known, and the card names none; give one with --license",)


def _base_card(record: RunRecord, folder: Path) -> Path | None:
    """Return the README.md of the checkpoint that was adapted, None where there is none."""
    repository, revision = hub_name(record), record.checkpoint.revision
    if repository and revision:
        return fetch(repository, "README.md", revision=str(revision))
    name = str(record.recipe.get("checkpoint") or "")
    card = (folder / name if name.startswith((".", "/")) else Path(name)) / "README.md"
    return card if name and card.is_file() else None


def _license_of(card: Path | None) -> dict[str, str]:
    """Return the licence in a model card, with its name and link where it is a custom one."""
    if card is None:
        return {}
    from huggingface_hub import ModelCard

    try:
        data = ModelCard(card.read_text(encoding="utf-8"), ignore_metadata_errors=True).data.to_dict()
    except (OSError, ValueError):
        return {}
    names = ("license", "license_name", "license_link")
    metadata = {name: str(data[name]) for name in names if isinstance(data.get(name), str)}
    return metadata if LICENSE.fullmatch(metadata.get("license", "")) else {}
