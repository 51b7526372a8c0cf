"""publish.json as frozen models: where a model was published, and which files are there."""

from __future__ import annotations

from homeground.results.parts import Record, field

PUBLICATION_VERSION = 1


class PublishedFile(Record):
    """One file of the repository."""

    sha256: str = field("hash of its bytes")
    size: int = field("size in bytes")


class PublicationRecord(Record):
    """publish.json of a run."""

    version: int = field(f"{PUBLICATION_VERSION}", PUBLICATION_VERSION)
    repository: str = field("`USER/NAME`")
    url: str = field("address of the repository", "")
    commit: str = field("commit of the published files", "")
    private: bool = field("whether the repository is private", False)
    time: str = field("when it was published (UTC)", "")
    files: dict[str, PublishedFile] = field("path → file in the repository", {})
