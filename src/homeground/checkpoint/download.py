"""Download a checkpoint from the Hub at a recorded commit, with errors that tell a user what to do.

Only the files of `DOWNLOADED` are requested: never pickled weights, code, ONNX or OpenVINO. huggingface_hub manages the
cache, HF_HOME, HF_ENDPOINT, HF_HUB_OFFLINE and the token. No message here quotes a request, a header or the text of the
library, so that no token can slip into one.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from homeground.errors import CheckpointError, DiskError, HomegroundError, HubError

DOWNLOADED = (
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "model.safetensors.index.json",
    "model-*-of-*.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "*.model",
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "homeground.json",
    "[0-9]_*/config.json",
    "[0-9]_*/model.safetensors",
    "adapter_config.json",  # only so that the scan can refuse an adapter by its name
)
"""The files of a model repository that are downloaded, as patterns of its paths."""

HUB_NAME = re.compile(r"(?=.{1,96}$)[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", re.ASCII)


def download(name: str, *, revision: str | None, hint: str) -> tuple[Path, str]:
    """Return the folder of the cached or downloaded snapshot, and its commit.

    ``revision`` is a branch, a tag or a commit; None means the default branch. It is resolved to a commit first, so
    that all files come from one state of the repository. Where the Hub cannot be reached, the cache is used. ``hint``
    names what else could have been meant, for the errors.

    Raises CheckpointError for a repository that does not exist or has no safetensors, HubError for what the network or
    the Hub refuses, DiskError where the cache cannot be written.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read when huggingface_hub is imported
    from huggingface_hub import HfApi, constants, snapshot_download

    api = HfApi()
    # resolve_revision sets no timeout, so a Hub that accepts the connection and sends nothing would block us for ever
    patient = partial(api.repo_info, timeout=float(constants.HF_HUB_DOWNLOAD_TIMEOUT))
    api.repo_info = patient  # pyright: ignore[reportAttributeAccessIssue]
    try:
        resolved = api.resolve_revision(name, revision=revision)
        folder = Path(snapshot_download(name, revision=resolved, allow_patterns=list(DOWNLOADED)))
        has_weights = any(folder.glob("*.safetensors"))
        listed = [] if has_weights else api.list_repo_files(name, revision=resolved.resolved)
    except Exception as error:  # the HTTP library beneath, and so its errors, changes between versions
        raise refusal(error, name=name, revision=revision, hint=hint) from error
    if not has_weights:
        raise CheckpointError(_without_weights(name, listed))
    return folder, resolved.resolved


def fetch(repository: str, file: str, *, revision: str, dataset: bool = False) -> Path | None:
    """Return the cached or downloaded file of a repository at a commit, or None if it has no such file.

    With a commit as ``revision`` a cached file needs no network. Raises HubError for what the network or the Hub
    refuses, CheckpointError for a repository that does not exist, DiskError where the cache cannot be written.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import LocalEntryNotFoundError, RemoteEntryNotFoundError

    try:
        kind = "dataset" if dataset else "model"
        return Path(hf_hub_download(repository, file, revision=revision, repo_type=kind))
    except Exception as error:
        if isinstance(error, RemoteEntryNotFoundError) and not isinstance(error, LocalEntryNotFoundError):
            return None
        raise refusal(error, name=repository, revision=revision) from error


def refusal(error: Exception, *, name: str, revision: str | None = None, hint: str = "") -> HomegroundError:
    """Return the error that tells a user what an error of huggingface_hub on the repository ``name`` means."""
    from huggingface_hub import constants
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RevisionNotFoundError

    chain = list(causes(error))
    status = next((code for code in map(status_of, chain) if code is not None), None)
    if isinstance(error, HFValidationError):
        return CheckpointError(f'there is no folder "{name}", and it cannot be a name on the Hub; {hint}')
    if any(isinstance(cause, RevisionNotFoundError) for cause in chain):
        return HubError(f'the Hub has "{name}", but no revision "{revision}" of it; name a branch, a tag or a commit')
    if any(isinstance(cause, GatedRepoError) for cause in chain) or status == 403:
        page = f"{constants.ENDPOINT}/{name}"
        return HubError(f'you have no access to "{name}" (403); ask for access at {page}, then "hf auth login"')
    if status in _ANSWERS:
        return _ANSWERS[status][0](_ANSWERS[status][1].format(name=name, hint=hint))
    if status is not None and status >= 500:
        return HubError(f'the Hub failed on a request for "{name}" ({status}); try again in some minutes')
    return _unreachable(chain, name)


_ANSWERS: dict[int | None, tuple[type[HomegroundError], str]] = {
    401: (
        HubError,
        '"{name}" is no folder here, and the Hub wants you to log in (401), as it does for every name it does not '
        'know; check the spelling ({hint}), or run "hf auth login" if the model is private',
    ),
    404: (CheckpointError, '"{name}" is neither a folder here nor a model on the Hub; {hint}'),
    429: (HubError, 'too many requests to the Hub (429) for "{name}"; try again in some minutes, or "hf auth login"'),
}


def _unreachable(chain: list[BaseException], name: str) -> HomegroundError:
    """Return the error for a disk that cannot be written or a network that gave no answer."""
    from huggingface_hub import constants

    numbers = {cause.errno for cause in chain if isinstance(cause, OSError)}
    if numbers & {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EFBIG}:
        return DiskError(
            f'"{name}" could not be stored in {constants.HF_HUB_CACHE}; '
            "free some space there, or name a folder that can be written with HF_HOME"
        )
    if constants.HF_HUB_OFFLINE:
        return HubError(
            f'"{name}" is no folder here, and is not complete in the cache {constants.HF_HUB_CACHE}, and '
            "HF_HUB_OFFLINE forbids requests to the Hub; unset it once, or name a folder"
        )
    slow = any("timeout" in type(cause).__name__.lower() for cause in chain)
    what = "did not answer in time" if slow else "could not be reached, or broke off"
    return HubError(
        f'"{name}" is no folder here, and {constants.ENDPOINT} {what}; '
        "check the network and give the same command again: what has been downloaded is kept"
    )


def _without_weights(name: str, files: list[str]) -> str:
    """Return the message for a repository without safetensors in its top folder."""
    weights = sorted(file for file in files if file.endswith((".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack")))
    if not weights:
        return f'"{name}" on the Hub has no model.safetensors; name a model repository'
    return (
        f'"{name}" has {", ".join(weights[:3])} but no model.safetensors, and pickled weights can run code; '
        f'download it with "hf download {name} --local-dir FOLDER", then "homeground convert FOLDER"'
    )


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes, the nearest first."""
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status of an error, if it has one."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return status if isinstance(status, int) else None
