"""publish.json as frozen models: where a model was published, and what is there."""

from __future__ import annotations

from homeground.results.parts import Record, field

PUBLICATION_VERSION = 1


class PublishedFile(Record):
    """One file of the repository."""

    sha256: str = field("hash of its bytes")
    size: int = field("bytes")


class PublicationRecord(Record):
    """publish.json of a run."""

    version: int = field(f"{PUBLICATION_VERSION}", PUBLICATION_VERSION)
    repository: str = field("`USER/NAME`")
    url: str = field("its address", "")
    commit: str = field("the commit", "")
    private: bool = field("whether it is private", False)
    time: str = field("when it was published (UTC)", "")
    files: dict[str, PublishedFile] = field("path → `size` and `sha256`", {})
