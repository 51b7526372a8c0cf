"""publish.json and export.json as frozen models: where a model was published, and what was made of it elsewhere."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from homeground.checkpoint.exported import ANEW, EXPORT_FILE, EXPORTS, exports_of
from homeground.errors import DamagedFile
from homeground.results.parts import IntervalRecord, Record, field
from homeground.storage import manifest_problem, read_sealed

PUBLICATION_VERSION = EXPORT_VERSION = 1


class PublishedFile(Record):
    """One file of a repository, or of an export."""

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


class ExportSource(Record):
    """What an export was made from."""

    run: str = field("name of the run", "")
    checkpoint: str = field("hash over weights, settings and tokenizer of its model", "")
    weights: dict[str, str] = field("file → hash of its bytes, for the weights", {})


class CalibrationOfExport(Record):
    """How the scales of int8 were found."""

    method: str = field(
        "`static`: from batches of training examples; `dynamic`: anew in every call, from the text itself"
    )
    batches: int = field("number of training batches that were read", 0)
    batch_size: int = field("examples in a batch", 0)


class ParityRecord(Record):
    """How far the outputs of an export differ from those of the model, on the test."""

    outputs: str = field(
        "what is compared: `probabilities`, `log probabilities`, or `embeddings`, scaled to length 1, by component"
    )
    largest: float = field("largest absolute difference")
    equal: float | None = field("share of equal predictions; null of embeddings", None)
    lowest_cosine: float | None = field("lowest cosine of the two embeddings of a text; null of other models", None)
    compared: int = field("number of predictions, or of texts, that were compared", 0)


class ExportSpeed(Record):
    """How fast an export is beside the model in fp32, both timed in turn on this machine."""

    ratio: float = field("median of the ratios of time; above 1 the export is faster")
    low: float = field("lower quartile of the ratios", 0.0)
    high: float = field("upper quartile of the ratios", 0.0)
    rounds: int = field("number of ratios", 0)
    batch_size: int = field("texts in a batch", 0)
    items: int = field("test items that were timed", 0)
    tokens: float = field("their mean number of tokens", 0.0)
    threads: int = field("threads of each", 0)
    device: str = field("what the model itself was computed on", "")


class ExportRecord(Record):
    """export.json of an export."""

    version: int = field(f"{EXPORT_VERSION}", EXPORT_VERSION)
    name: str = field("`openvino`, `openvino-bf16`, `openvino-int8`, `onnx` or `onnx-int8`")
    format: str = field("`openvino` or `onnx`")
    precision: str = field("`fp32`, `bf16` or `int8`")
    head: str = field("the head that the graph computes")
    inputs: tuple[str, ...] = field("inputs of the graph, by name")
    one_by_one: bool = field("whether every text is predicted by itself, because it would depend on its batch", False)
    parameters: int = field("number of parameters of the model", 0)
    source: ExportSource = field("what it was made from")
    calibration: CalibrationOfExport | None = field("how the scales of int8 were found; null otherwise", None)
    task: str = field("name of the task", "")
    primary_metric: str = field("the metric that decides", "")
    before: float | None = field("score of the model in fp32 on the test; null where it could not be computed", None)
    after: float | None = field("score of the export there; null as for `before`", None)
    difference: IntervalRecord = field("export minus model; positive is better for every metric", IntervalRecord())
    margin: float = field("the largest loss with which an export in int8 or bf16 is accepted", 0.01)
    margin_named: bool = field("whether it was named with `--margin`", False)
    verdict: str = field("`KEPT`, or `EQUAL` where the outputs are those of the model but for rounding", "")
    test_examples: int = field("number of test examples", 0)
    seen: int = field("test examples that the model has learned from: of them, scores only show that both agree", 0)
    test_units: int = field("number of independent units they form", 0)
    example: str = field("what a test example is called", "test example")
    parity: ParityRecord = field("how far its outputs differ from those of the model")
    speed: ExportSpeed = field("how fast it is beside the model")
    sentence: str = field("all of this in a sentence", "")
    bytes: int = field("size of the folder in bytes, without export.json and the manifest", 0)
    files: dict[str, PublishedFile] = field("path → file in the folder", {})
    versions: dict[str, str] = field("library → version", {})
    time: str = field("when it was exported (UTC)", "")


def read_export(folder: Path) -> ExportRecord | None:
    """Return the record of an export; None where it cannot be read, or a file is not as it was written."""
    try:
        record = read_sealed(folder / EXPORT_FILE, unsealed_version=-1, remedy=ANEW)
        return None if manifest_problem(folder) else ExportRecord.model_validate(record)
    except (OSError, DamagedFile, ValidationError):
        return None


def read_exports(run: Path) -> tuple[ExportRecord, ...]:
    """Return the records of the exports of a run that are as they were written."""
    records = (read_export(run / EXPORTS / name) for name in exports_of(run))
    return tuple(record for record in records if record is not None)
