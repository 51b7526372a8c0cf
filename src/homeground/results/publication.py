"""publish.json as frozen models: where a model was published, and what is there."""

from __future__ import annotations

from pydantic import Field

from homeground.results.parts import Record

PUBLICATION_VERSION = 1


class PublishedFile(Record):
    """One file of the repository."""

    sha256: str = Field(description="hash of its bytes")
    size: int = Field(description="bytes")


class PublicationRecord(Record):
    """publish.json of a run."""

    version: int = Field(default=PUBLICATION_VERSION, description=f"{PUBLICATION_VERSION}")
    repository: str = Field(description="`USER/NAME`")
    url: str = Field(default="", description="its address")
    commit: str = Field(default="", description="the commit")
    private: bool = Field(default=False, description="whether it is private")
    time: str = Field(default="", description="when it was published (UTC)")
    files: dict[str, PublishedFile] = Field(
        default_factory=dict[str, PublishedFile], description="path → `size` and `sha256`"
    )
