"""Send files to a repository on the Hub in one commit, and read them back.

Nothing is visible before the commit, and everything after it: what an interrupted upload leaves behind is not part of
the repository, and the next attempt sends only what is missing. No message here quotes a request, a header or the text
of the library, so that no token can slip into one.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import warnings
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from homeground.checkpoint.download import causes, status_of
from homeground.errors import HomegroundError, HubError, UsageError
from homeground.storage import file_hash

TIMEOUT_SECONDS = 120.0
"""Seconds without a byte after which we stop waiting for the Hub; huggingface_hub itself would wait for ever."""

REPOSITORY_NAME = re.compile(r"(?=.{3,96}$)[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
STATUS_IN_WORDS = re.compile(r"\b(40[1-9]|412|429|5\d\d)\b")

Content = Path | bytes
"""A file to upload: its path, or its bytes."""


@dataclass(frozen=True)
class Stored:
    """A file of a repository: its size in bytes, its git hash and, for a large file, its sha256."""

    size: int
    git_hash: str
    sha256: str | None


@dataclass(frozen=True)
class RepositoryState:
    """The newest state of a repository; ``commit`` is None where it has none yet."""

    commit: str | None
    private: bool
    files: Mapping[str, Stored]


def require_repository_name(name: str) -> None:
    """Raise UsageError unless a name has the form USER/NAME that the Hub allows."""
    if not REPOSITORY_NAME.fullmatch(name) or "--" in name or ".." in name or name.endswith((".", "-", ".git")):
        raise UsageError(
            f'"{name}" cannot be a repository on the Hub; name it USER/NAME, of letters, digits, ".", "_" and "-", '
            "e.g. alice/job-titles"
        )


def require_token() -> str:
    """Return the token of the environment or of ``hf auth login``; HubError where there is none."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from huggingface_hub import constants, get_token

    if constants.HF_HUB_OFFLINE:
        raise HubError("HF_HUB_OFFLINE forbids requests to the Hub; unset it to publish, or look first with --dry-run")
    token = get_token()
    if not token:
        raise HubError(
            f"publishing needs a token that may write; make one at {constants.ENDPOINT}/settings/tokens, then run "
            '"hf auth login" or set HF_TOKEN'
        )
    return token


def open_repository(name: str, *, private: bool) -> RepositoryState:
    """Return the head of a repository, which is created if it does not exist.

    Raises HubError for what the network or the Hub refuses, and for a public repository that should be private.
    """
    with _connection(name) as api:
        api.create_repo(name, private=private or None, exist_ok=True)
        info = api.repo_info(name)
        is_private = bool(info.private)
        files = _files(api, name, info.sha) if info.sha else {}
    if private and not is_private:
        raise HubError(
            f'"{name}" is there already and is public; make it private in its settings, or leave out --private'
        )
    return RepositoryState(info.sha, is_private, files)


def stored_files(name: str, commit: str) -> dict[str, Stored]:
    """Return the files of a repository at a commit, by their paths."""
    with _connection(name) as api:
        return _files(api, name, commit)


def commit_files(
    name: str, contents: Mapping[str, Content], *, removed: Iterable[str] = (), parent: str | None, message: str
) -> str:
    """Add and remove files in one commit on top of ``parent``, and return it; the newest commit if nothing changes.

    huggingface_hub leaves out the files that the repository already has. Raises HubError for what the network or the
    Hub refuses, and where ``parent`` is no longer the newest commit.
    """
    with _connection(name) as api, warnings.catch_warnings(), _quiet("huggingface_hub.hf_api"):
        # The Hub's remarks on a card without a licence come as Python warnings; our own notes say the same.
        warnings.simplefilter("ignore")
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        operations = [
            *(
                CommitOperationAdd(path, content if isinstance(content, bytes) else str(content))
                for path, content in sorted(contents.items())
            ),
            *(CommitOperationDelete(path) for path in sorted(removed)),
        ]
        commit = api.create_commit(name, operations, commit_message=message, parent_commit=parent)
    return str(commit.oid)


def is_stored(content: Content, stored: Stored | None) -> bool:
    """Tell whether a file of a repository is the same as ours."""
    from huggingface_hub.utils.sha import git_hash

    if stored is None or stored.size != size_of(content):
        return False
    if stored.sha256:
        return stored.sha256 == sha256_of(content)
    return stored.git_hash == git_hash(content if isinstance(content, bytes) else content.read_bytes())


def size_of(content: Content) -> int:
    """Return the size of a file in bytes."""
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def sha256_of(content: Content) -> str:
    """Return the sha256 of a file in hexadecimal."""
    return hashlib.sha256(content).hexdigest() if isinstance(content, bytes) else file_hash(content)


def _files(api: Any, name: str, commit: str) -> dict[str, Stored]:
    from huggingface_hub.hf_api import RepoFile

    return {
        entry.path: Stored(entry.size, entry.blob_id, entry.lfs.sha256 if entry.lfs else None)
        for entry in api.list_repo_tree(name, recursive=True, revision=commit)
        if isinstance(entry, RepoFile)
    }


@contextlib.contextmanager
def _quiet(name: str) -> Generator[None]:
    """Silence the warnings of a logger: an unchanged repository is not worth one."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextlib.contextmanager
def _connection(name: str) -> Generator[Any]:
    """Yield the Hub's interface with a time limit, and turn its errors into ours."""
    token = require_token()
    from huggingface_hub import HfApi, get_session

    session = get_session()
    timeout = session.timeout
    session.timeout = TIMEOUT_SECONDS
    try:
        yield HfApi(token=token)
    except HomegroundError:
        raise
    except Exception as error:  # the HTTP library beneath, and so its errors, changes between versions
        raise upload_refusal(error, name) from error
    finally:
        session.timeout = timeout


def upload_refusal(error: Exception, name: str) -> HomegroundError:
    """Return the error that tells a user what an error of an upload to the repository ``name`` means."""
    from huggingface_hub import constants

    chain = list(causes(error))
    status = next((code for code in map(status_of, chain) if code is not None), None)
    if status is None and isinstance(error, ValueError) and "README.md" in str(error):
        status = 400
    if status is None:
        # The Xet library wraps the Hub's refusals into errors that have the status in their text only.
        matches = (STATUS_IN_WORDS.search(str(cause)) for cause in chain)
        status = next((int(match[0]) for match in matches if match), None)
    if status in _REFUSALS:
        return HubError(_REFUSALS[status].format(name=name, hub=constants.ENDPOINT))
    if status is not None and status >= 500:
        return HubError(f'the Hub failed during the upload to "{name}" ({status}); {_AGAIN} in some minutes')
    if status is not None:
        return HubError(f'the Hub refused the upload to "{name}" ({status}); {_AGAIN}, and report it if it stays so')
    slow = any("timeout" in type(cause).__name__.lower() for cause in chain)
    what = "did not answer in time" if slow else "could not be reached, or broke off"
    return HubError(f"{constants.ENDPOINT} {what}; check the network, then {_AGAIN}")


_AGAIN = "give the same command again: a model is published whole or not at all, and nothing is sent twice"
_REFUSALS: dict[int | None, str] = {
    400: "the Hub does not accept the settings of the model card (400); give --license and --language as it knows "
    "them, e.g. apache-2.0 and en, or leave them out",
    401: 'the Hub does not know your token (401); make one that may write at {hub}/settings/tokens, then run "hf auth '
    'login" or set HF_TOKEN',
    402: 'the Hub wants a payment for "{name}" (402); free some storage there, or name another owner',
    403: 'your token may not write to "{name}" (403); name a repository of your own as USER/NAME, or give the token '
    "write access at {hub}/settings/tokens",
    404: 'the Hub has no "{name}", or does not show it to your token (404); check the spelling of USER/NAME, and at '
    "{hub}/settings/tokens what the token may do",
    408: f"the Hub did not answer in time (408); {_AGAIN}",
    409: f'someone else is changing "{{name}}" (409); {_AGAIN} in a minute',
    412: f'"{{name}}" was changed by someone else in the meantime (412); look what changed, then {_AGAIN}',
    413: '"{name}" is larger than the Hub allows (413); free some storage there, or name another owner',
    429: f'too many requests to the Hub (429) for "{{name}}"; wait, then {_AGAIN}',
}
