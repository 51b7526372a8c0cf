"""A Hub on this machine that takes models: commits, large files by LFS or Xet, and every fault of `tests.hub`.

    with WritableHub(folder) as hub:         # HF_ENDPOINT=hub.url
        ...                                  # homeground publish
        assert hub.commits["alice/tiny"] == [created, published]

A repository is made with one commit that holds .gitattributes, as the Hub makes them; every commit is a folder of its
own. Large files are those that end in .safetensors. By Xet they go into ``hub.cas`` without passing here, so the server
is told by ``known`` what they hold.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import queue
import shutil
import signal
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.hub import Fault, Hub, _Handler, blob_id

LARGE = ".safetensors"


class WritableHub(Hub):
    """The server; ``before`` and ``after`` are faults that come before a request is carried out, or after it."""

    def __init__(self, root: Path) -> None:
        super().__init__({})
        self.root = root
        self.cas = root / "cas"
        self.objects: dict[str, bytes] = {}
        self.known: dict[str, Path] = {}
        self.commits: dict[str, list[str]] = {}
        self.folders: dict[str, Path] = {}
        self.private: set[str] = set()
        self.payloads: list[bytes] = []
        self.after: Fault | None = None
        self.victims: queue.Queue[int] = queue.Queue()
        """The processes that a fault of the kind "kill" ends, the first of them each time."""
        hub = self

        class Handler(_Writing):
            owner = hub

        self.server.RequestHandlerClass = Handler

    def commit(self, repository: str) -> str:
        """Return the commit of the folder that is served now."""
        return next(commit for commit, folder in self.folders.items() if folder == self.repositories[repository])

    def create(self, repository: str) -> None:
        """Make a repository with its first commit."""
        self.commits[repository] = []
        first = self.root / repository / "0"
        first.mkdir(parents=True)
        (first / ".gitattributes").write_text(f"*{LARGE} filter=lfs\n")
        self.add(repository, first)

    def add(self, repository: str, folder: Path) -> str:
        """Make a folder the newest commit."""
        number = len(self.commits[repository])
        commit = hashlib.sha1(f"{repository} {number}".encode(), usedforsecurity=False).hexdigest()
        self.repositories[repository] = self.folders[commit] = folder
        self.commits[repository].append(commit)
        return commit

    def take(self, repository: str, lines: list[dict[str, Any]]) -> str:
        """Carry out the lines of a commit."""
        number = len(self.commits[repository])
        folder = Path(shutil.copytree(self.repositories[repository], self.root / repository / str(number)))
        for line in lines[1:]:
            value = line["value"]
            path = folder / value["path"]
            path.parent.mkdir(parents=True, exist_ok=True)
            if line["key"] == "file":
                path.write_bytes(base64.b64decode(value["content"]))
            elif line["key"] == "lfsFile":
                stored = self.objects.get(value["oid"])
                path.write_bytes(self.known[value["oid"]].read_bytes() if stored is None else stored)
            else:
                path.unlink()
        return self.add(repository, folder)


class _Writing(_Handler):
    """Answers what huggingface_hub asks in order to publish a model."""

    owner: WritableHub  # pyright: ignore[reportIncompatibleVariableOverride]
    disable_nagle_algorithm = True  # else each answer waits 40 ms for the acknowledgement of its own header

    def do_POST(self) -> None:
        body = self.body()
        self.owner.payloads.append(body)
        self.write(lambda path: self.carry_out(path, body))

    def do_PUT(self) -> None:
        body = self.body()

        def put(_: str) -> None:
            self.owner.objects[hashlib.sha256(body).hexdigest()] = body
            self.json({})

        self.write(put)

    def write(self, carry_out: Any) -> None:
        """Carry out a request between the two faults."""
        path = unquote(urlsplit(self.path).path)
        request = f"{self.command} {path}"
        self.owner.requests.append(request)
        self.owner.authorizations.append(self.headers.get("Authorization"))
        fault, after = self.owner.fault, self.owner.after
        if fault is not None and fault.on in request and not self.misbehave(fault):
            return
        if after is not None and after.on in request:
            reply, self.reply = self.reply, lambda *_: None  # type: ignore[method-assign]
            carry_out(path)
            self.reply = reply  # type: ignore[method-assign]
            self.misbehave(after)
            return
        carry_out(path)

    def misbehave(self, fault: Fault) -> bool:
        if fault.kind == "kill":
            os.kill(self.owner.victims.get(timeout=30), signal.SIGKILL)
            self.close_connection = True
            return False
        if fault.kind == "drop":  # with nothing said at all, and what was sent unread
            self.close_connection = True
            self.connection.close()
            return False
        return super().misbehave(fault)

    def body(self) -> bytes:
        """Return what was sent, in one piece or in chunks."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts: list[bytes] = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def json(self, value: Any, status: int = 200, **headers: str) -> None:
        self.reply(status, json.dumps(value).encode(), {"Content-Type": "application/json", **headers})

    def carry_out(self, path: str, body: bytes) -> None:
        """Answer one POST."""
        hub, parts = self.owner, path.strip("/").split("/")
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}"
            status = 409 if name in hub.commits else 200
            if status == 200:
                hub.create(name)
                hub.private |= {name} if asked.get("visibility") == "private" else set()
            self.json({"url": f"{hub.url}/{name}", "name": name}, status)
        elif path == "/api/validate-yaml":
            self.json({"errors": [], "warnings": []})
        elif "preupload" in parts:
            self.json({"files": [self.mode("/".join(parts[2:4]), file["path"]) for file in json.loads(body)["files"]]})
        elif path.endswith("/objects/batch"):
            self.json({"objects": [self.action(each) for each in json.loads(body)["objects"]]})
        elif path.startswith("/verify"):
            self.json({})
        elif "commit" in parts:
            self.take("/".join(parts[2:4]), [json.loads(line) for line in body.splitlines()])

    def mode(self, repository: str, path: str) -> dict[str, Any]:
        """Say how a file is to be sent, and the hash that the repository has of it: of a large file the sha256."""
        stored = self.owner.repositories[repository] / path
        oid = None
        if stored.is_file():
            oid = hashlib.sha256(stored.read_bytes()).hexdigest() if path.endswith(LARGE) else blob_id(stored)
        return {
            "path": path,
            "uploadMode": "lfs" if path.endswith(LARGE) else "regular",
            "shouldIgnore": False,
            "oid": oid,
        }

    def action(self, each: dict[str, Any]) -> dict[str, Any]:
        """Say where one large file is to be sent, unless it is here."""
        href = {
            "upload": {"href": f"{self.owner.url}/lfs/{each['oid']}"},
            "verify": {"href": f"{self.owner.url}/verify"},
        }
        return each if each["oid"] in self.owner.objects else {**each, "actions": href}

    def take(self, repository: str, lines: list[dict[str, Any]]) -> None:
        """Carry out a commit, unless its parent is no longer the newest one."""
        parent = lines[0]["value"].get("parentCommit")
        if parent is not None and parent != self.owner.commit(repository):
            self.json({"error": "The parent commit is not the newest"}, 412)
            return
        commit = self.owner.take(repository, lines)
        self.json({"commitOid": commit, "commitUrl": f"{self.owner.url}/{repository}/commit/{commit}"})

    def answer(self, parts: list[str]) -> None:
        """Answer what reads: the write token of Xet, and any commit there ever was."""
        if "xet-write-token" in parts:
            return self.xet()
        is_api = parts[:2] == ["api", "models"]
        repository, rest = "/".join((parts[2:] if is_api else parts)[:2]), (parts[2:] if is_api else parts)[2:]
        commit = rest[1] if len(rest) > 1 else ""
        if repository in self.owner.commits and commit in self.owner.folders:
            newest = self.owner.repositories[repository]
            self.owner.repositories[repository] = self.owner.folders[commit]
            try:
                return super().answer(parts)
            finally:
                self.owner.repositories[repository] = newest
        return super().answer(parts)

    def xet(self) -> None:
        """Name a folder of this machine as the place where large files are kept."""
        address, token, until = f"local://{self.owner.cas}", "xet-token", 4102444800
        headers = {"X-Xet-Cas-Url": address, "X-Xet-Access-Token": token, "X-Xet-Token-Expiration": str(until)}
        self.json({"casUrl": address, "accessToken": token, "exp": until}, **headers)

    def describe(self, repository: str, commit: str, *, tree: bool) -> None:
        """Send what the API says of a repository, large files with their sha256."""
        files = self.owner.files(repository)
        if not tree:
            info = {"id": repository, "modelId": repository, "sha": commit, "private": repository in self.owner.private}
            return self.json({**info, "siblings": [{"rfilename": name} for name in files]})
        entries: list[dict[str, Any]] = []
        for name, path in files.items():
            entry: dict[str, Any] = {"type": "file", "path": name, "size": path.stat().st_size, "oid": blob_id(path)}
            if name.endswith(LARGE):
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                entry["lfs"] = {"oid": digest, "size": entry["size"], "pointerSize": 134}
            entries.append(entry)
        return self.json(entries)
