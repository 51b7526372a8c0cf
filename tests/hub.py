"""A Hugging Face Hub on this machine: folders served as model repositories, with faults to switch on.

    with Hub({"alice/tiny": folder}) as hub:
        hub.fault = Fault(429, on="/resolve/")
        ...                              # HF_ENDPOINT=hub.url
        assert not any(".bin" in request for request in hub.requests)

Each repository has one commit, a hash of its contents unless ``hub.pinned`` names another, known as ``main`` and by
itself. A repository called ``datasets/OWNER/NAME`` is a data set.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

ERROR_CODES = {"repository": "RepoNotFound", "revision": "RevisionNotFound", "file": "EntryNotFound"}


@dataclass
class Fault:
    """What goes wrong, for requests whose ``METHOD path`` contains ``on``."""

    kind: int | str
    """An HTTP status, ``"drop"`` (the connection breaks in the middle), or ``"slow"`` (no answer for ``seconds``)."""
    on: str = ""
    seconds: float = 3.0
    headers: tuple[tuple[str, str], ...] = ()


class Hub:
    """The server, running in a thread from ``with`` to its end."""

    def __init__(self, repositories: dict[str, Path]) -> None:
        self.repositories = repositories
        self.pinned: dict[str, str] = {}
        self.requests: list[str] = []
        self.authorizations: list[str | None] = []
        self.fault: Fault | None = None
        hub = self

        class Handler(_Handler):
            owner = hub

        self.server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> Hub:
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def commit(self, repository: str) -> str:
        """Return the 40 hexadecimal digits of the one commit of a repository."""
        if repository in self.pinned:
            return self.pinned[repository]
        digest = hashlib.sha1(usedforsecurity=False)
        for name, path in self.files(repository).items():
            digest.update(name.encode() + path.read_bytes())
        return digest.hexdigest()

    def files(self, repository: str) -> dict[str, Path]:
        """Return the files of a repository by their paths in it."""
        folder = self.repositories[repository]
        return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}


def blob_id(path: Path) -> str:
    """Return the name git gives to a file's content, which the Hub uses as its ETag."""
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that hang up."""


class _Handler(BaseHTTPRequestHandler):
    """Answers what huggingface_hub asks in order to find and download a model."""

    owner: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        request = f"{self.command} {unquote(urlsplit(self.path).path)}"
        self.owner.requests.append(request)
        self.owner.authorizations.append(self.headers.get("Authorization"))
        fault = self.owner.fault
        if fault is not None and fault.on in request and not self.misbehave(fault):
            return
        self.answer(request.split(" ", 1)[1].strip("/").split("/"))

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def misbehave(self, fault: Fault) -> bool:
        """Do what the fault says; return whether the request is to be answered all the same."""
        if fault.kind == "slow":
            time.sleep(fault.seconds)
            return True
        if fault.kind == "drop":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nbroken")
            self.close_connection = True
        else:
            self.reply(int(fault.kind), b'{"error":"no"}', dict(fault.headers))
        return False

    def answer(self, parts: list[str]) -> None:
        """Answer ``api/models/OWNER/NAME[/revision/R | /tree/R]`` and ``OWNER/NAME/resolve/R/FILE``."""
        is_api = parts[:2] == ["api", "models"]
        parts = parts[2:] if is_api else parts
        depth = 3 if parts[0] == "datasets" else 2
        repository, rest = "/".join(parts[:depth]), parts[depth:]
        if repository not in self.owner.repositories:
            return self.missing("repository")
        commit = self.owner.commit(repository)
        if len(rest) > 1 and rest[1] not in ("main", commit):
            return self.missing("revision")
        if is_api:
            return self.describe(repository, commit, tree=rest[:1] == ["tree"])
        path = self.owner.files(repository).get("/".join(rest[2:]))
        if path is None:
            return self.missing("file", commit)
        return self.reply(200, path.read_bytes(), {"ETag": f'"{blob_id(path)}"', "X-Repo-Commit": commit})

    def describe(self, repository: str, commit: str, *, tree: bool) -> None:
        """Send what the API says of a repository, or the listing of its files."""
        files = self.owner.files(repository)
        listing = [
            {"type": "file", "path": name, "size": path.stat().st_size, "oid": blob_id(path)}
            for name, path in files.items()
        ]
        info = {"id": repository, "modelId": repository, "sha": commit, "siblings": [{"rfilename": n} for n in files]}
        self.reply(200, json.dumps(listing if tree else info).encode(), {"Content-Type": "application/json"})

    def missing(self, what: str, commit: str | None = None) -> None:
        """Send the 404 that says what was not found."""
        headers = {"X-Error-Code": ERROR_CODES[what], "X-Error-Message": f"{what} not found"}
        self.reply(404, b"{}", headers | ({"X-Repo-Commit": commit} if commit else {}))

    def reply(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        """Send one complete answer; HEAD gets its headers alone."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
