"""homeground.export: the model of a run for other runtimes, accepted only with measured parity and score."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Generator
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from homeground.checkpoint import Checkpoint, count_parameters, model_files, open_checkpoint, write_tokenizer
from homeground.checkpoint import write_modules as write_sentence_modules
from homeground.checkpoint.exported import EXPORT_FILE, GRAPH_FILES, Exported, holds_export
from homeground.checkpoint.safety import weight_files
from homeground.engines import open_engine, open_exporter
from homeground.engines.exported import open_model as open_exported
from homeground.engines.model import Batch, Model
from homeground.errors import CheckpointError, ExportRefused, UsageError
from homeground.evaluation.comparison import GeneralComparison, judge_general
from homeground.evaluation.parity import SideBySide, Speed, compare_speed, measure_both
from homeground.experiment.setup import Setup
from homeground.randomness import generator
from homeground.results.publication import (
    CalibrationOfExport,
    ExportRecord,
    ExportSource,
    ExportSpeed,
    ParityRecord,
    PublishedFile,
    read_export,
)
from homeground.results.run import Run
from homeground.results.summary import export_line
from homeground.results.writing import finite, interval_record
from homeground.storage import (
    MANIFEST,
    as_json,
    file_hash,
    locked,
    new_folder,
    now,
    remove_litter,
    sealed,
    write_manifest,
    write_text,
)
from homeground.training.events import Notice, OnEvent
from homeground.workflows.common_test import prepare_again
from homeground.workflows.export_places import name_of, place_of, remove_litter_of, require_as_written, show_exports
from homeground.workflows.progress import reported

ENGINE = "torch"
"""The engine whose models can be exported; it reads what every engine has trained but a SavedModel."""

CALIBRATION_BATCHES = 32
CALIBRATION_BATCH_SIZE = 16
"""Training examples by which the scales of activations are found, and how many are read at once."""

LARGEST_DIFFERENCE_FP32 = 1e-4
"""The largest difference of an output with which an export in fp32 is the model itself but for rounding."""

EQUAL, DIFFERENT = "EQUAL", "DIFFERENT"
"""The verdicts on an export in fp32."""

MAX_ITEMS_COMPARED = 32
"""Test items whose outputs the export must repeat when it is opened from its folder."""

OTHER_FOLDER = "name a writable folder with --output"
OPTION = "--output"


def export(
    source: str | PathLike[str],
    *,
    format: str = "openvino",
    int8: bool = False,
    bf16: bool = False,
    output: str | PathLike[str] | None = None,
    margin: float | None = None,
    quiet: bool = False,
    on_event: OnEvent | None = None,
) -> dict[str, Any]:
    """Export the model of a finished run for OpenVINO or ONNX Runtime, and return what was measured.

    The export goes to ``RUN/exports/``, where ``load(run, engine="openvino-int8")`` and the report find it, or into the
    new folder ``output``, which ``load`` opens by itself. It is accepted only with what it scores on the test of the
    run: in fp32 its outputs must be those of the model but for rounding; with ``int8`` or ``bf16`` the interval of its
    score must exclude a loss of ``margin``, by default that of general ability (0.01, or 0.05 nats for plain text).
    Nothing is left of one that is refused, and an earlier one stays. The same call again returns what is there.

    Raises:
        ExportRefused: it is too far from the model; the message has both scores.
        UsageError: it is no finished run, or its model cannot be exported; the folder is taken; a library is missing.
        CheckpointError: the model is not as the run wrote it, or its architecture cannot be traced.
    """
    if format not in GRAPH_FILES:
        raise UsageError(f'format "{format}" is not known; known: {", ".join(GRAPH_FILES)}')
    _require_margin(margin)
    precision = _precision(format, int8=int8, bf16=bf16)
    run, name = Run(Path(source)), format if precision == "fp32" else f"{format}-{precision}"
    with reported(on_event, quiet=quiet) as listener:
        checkpoint = _checkpoint_of(run)
        require_as_written(run, checkpoint)
        open_exporter(ENGINE).require_exporters(format, int8=int8)
        target, in_run = place_of(run, name, None if output is None else Path(output))
        with locked(run.folder, option=OPTION) if in_run else contextlib.nullcontext():
            if in_run and target.parent.is_dir():
                remove_litter(target.parent)
            elif not in_run:
                remove_litter_of(target)
            asked = Asked(run, checkpoint, format, name, precision, margin)
            record = _present(asked, target) or _export(asked, target, listener)
            if in_run:
                show_exports(run, listener)
    return {"folder": str(target), **record.to_json()}


def _precision(format: str, *, int8: bool, bf16: bool) -> str:
    if int8 and bf16:
        raise UsageError("--int8 and --bf16: an export computes in one of them; leave the other out")
    if bf16 and format != "openvino":
        raise UsageError(f"--bf16 is not for {format}, whose runtime multiplies in float32; use --format openvino")
    return "int8" if int8 else "bf16" if bf16 else "fp32"


def _require_margin(margin: object) -> None:
    value = float(margin) if isinstance(margin, int | float) and not isinstance(margin, bool) else 0.0
    if margin is not None and not (math.isfinite(value) and value > 0):
        raise UsageError(
            f"the margin is {margin!r}; expected a finite number above 0, the loss that int8 or bf16 may have"
        )


@dataclass(frozen=True)
class Asked:
    """What is to be exported, and how."""

    run: Run
    checkpoint: Checkpoint
    format: str
    name: str
    precision: str
    margin: float | None


@dataclass(frozen=True)
class Measured:
    """What an export is beside its model: scores, outputs, speed, and what follows from them."""

    both: SideBySide
    judged: GeneralComparison
    speed: Speed
    model: Model


def _checkpoint_of(run: Run) -> Checkpoint:
    """Return the model of a run.

    Raises:
        UsageError: there is no finished run, or its model is a program of its own.
    """
    if not run.record:
        raise UsageError(f"{run.folder}: no run, because it has no run.json; name the folder of a finished run")
    if not run.finished:
        raise UsageError(f"{run.folder}: the run is not finished; give its command again, then export it")
    checkpoint = open_checkpoint(str(run.folder), trust_saved_model=True)
    if checkpoint.is_saved_model:
        raise UsageError(
            f"{run.model_folder} is a SavedModel, a program of TensorFlow, which TensorFlow's own tools export; adapt "
            "an encoder with weights, e.g. minilm, to export it here"
        )
    return checkpoint


def _present(asked: Asked, target: Path) -> ExportRecord | None:
    """Return the record of an export that is there as it would be made now."""
    there = read_export(target) if holds_export(target) else None
    if there is None or there.name != asked.name or there.source.checkpoint != asked.checkpoint.sha256:
        return None
    as_asked = there.margin == asked.margin if there.margin_named else asked.margin is None
    return there if as_asked or asked.precision == "fp32" else None


def _export(asked: Asked, target: Path, on_event: OnEvent) -> ExportRecord:
    on_event(Notice(f"reading the test and the training examples of {asked.run.folder}"))
    setup = prepare_again(asked.run, str(asked.run.folder), engine=ENGINE)
    model = open_engine(ENGINE).open_model(asked.checkpoint, head=setup.task.info.head)
    calibration = _calibration(setup) if asked.precision == "int8" else None
    with _removed_if_empty(target.parent), new_folder(target, OTHER_FOLDER) as folder:
        on_event(Notice(f"exporting for {asked.name}, which takes a minute"))
        made = open_exporter(ENGINE).export_model(
            model, folder, format=asked.format, head=setup.task.info.head, calibration=calibration
        )
        _copy_settings(asked.checkpoint, folder)
        exported = Exported(
            format=asked.format,
            name=asked.name,
            head=setup.task.info.head,
            inputs=tuple(made["inputs"]),
            # The scales of dynamic int8 are those of the whole batch, padding included.
            one_by_one=asked.name == "onnx-int8",
            parameters=count_parameters(asked.checkpoint.folder),
            source_weights=_weights(asked.checkpoint),
        )
        # Both with as many threads, or the ratio of their times would be that of the threads.
        threads = int(model.describe()["threads"])
        opened = open_exported(
            replace(asked.checkpoint, folder=folder, exported=exported), head=exported.head, threads=threads
        )
        if opened.describe()["precision"] != asked.precision:
            raise UsageError(
                f"--{asked.precision}: this processor does not compute in it, so that nothing could be measured; "
                "export on one that does (avx512_bf16 or amx_bf16 among its flags), or leave it out"
            )
        measured = _measure(setup, model, opened, asked, on_event)
        record = _record(asked, setup, exported, measured, made["versions"], folder)
        _require_accepted(asked, record, measured, target)
        write_text(folder / EXPORT_FILE, as_json(sealed(record.to_json())))
        write_manifest(folder)
        _check(setup, opened, folder)
        del opened
    return record


def _measure(setup: Setup, model: Model, opened: Model, asked: Asked, on_event: OnEvent) -> Measured:
    on_event(Notice(f"measuring both on {len(setup.test)} test examples"))
    several = asked.checkpoint.config.get("problem_type") == "multi_label_classification"
    both = measure_both(setup.test, model, opened, several=several)
    margins = (asked.margin, setup.recipe.evaluation.general_margin, setup.task.info.margin)
    margin = next(each for each in margins if each is not None)
    judged = judge_general(setup.test, both.model, both.exported, margin=margin, seen=_seen(setup))
    on_event(Notice("timing both in turn"))
    return Measured(both, judged, compare_speed(setup.test, model, opened), model)


def _seen(setup: Setup) -> int:
    """Return how many examples of the test the model learned from: all where each fold tested what others learned."""
    if setup.corpus.folds is not None or setup.nothing_left:
        return len(setup.test)
    return setup.overlap[0]


def _calibration(setup: Setup) -> list[Batch]:
    """Return batches of training examples, as they are learned from."""
    task, rows = setup.task, setup.splits.kept.train.rows
    items = np.arange(len(rows.lengths("training")))
    drawn = generator(setup.recipe.seed, "calibration").permutation(items)
    drawn = drawn[: CALIBRATION_BATCHES * CALIBRATION_BATCH_SIZE]
    parts = (drawn[start : start + CALIBRATION_BATCH_SIZE] for start in range(0, len(drawn), CALIBRATION_BATCH_SIZE))
    return [task.collate(rows, part, "training", seed=setup.recipe.seed)[0] for part in parts]


def _copy_settings(checkpoint: Checkpoint, folder: Path) -> None:
    """Copy what predicts with the graph: the tokenizer, the settings, and what follows the token vectors."""
    write_tokenizer(checkpoint, folder)
    write_sentence_modules(checkpoint, folder)
    weights = set(_weights(checkpoint))
    for name in model_files(checkpoint):
        if "/" not in name and name not in weights and not (folder / name).exists() and not name.endswith("index.json"):
            (folder / name).write_bytes((checkpoint.folder / name).read_bytes())


def _weights(checkpoint: Checkpoint) -> dict[str, str]:
    """Return the hash of every file of weights, by name."""
    return {path.name: file_hash(path) for path in weight_files(checkpoint.folder)}


def _record(
    asked: Asked, setup: Setup, exported: Exported, measured: Measured, versions: dict[str, str], folder: Path
) -> ExportRecord:
    judged, speed, test = measured.judged, measured.speed, setup.test
    files = {
        path.relative_to(folder).as_posix(): PublishedFile(sha256=file_hash(path), size=path.stat().st_size)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }
    described = measured.model.describe()
    metric = test.primary_metric
    enough = judged.verdict.word != "TOO FEW"
    is_equal = measured.both.parity.largest <= LARGEST_DIFFERENCE_FP32
    record = ExportRecord(
        name=asked.name,
        format=asked.format,
        precision=asked.precision,
        head=exported.head,
        inputs=exported.inputs,
        one_by_one=exported.one_by_one,
        parameters=exported.parameters,
        source=ExportSource(
            run=name_of(asked.run), checkpoint=asked.checkpoint.sha256, weights=_weights(asked.checkpoint)
        ),
        calibration=_calibration_record(asked, setup),
        task=setup.task.info.name,
        primary_metric=metric,
        before=finite(measured.both.model.scores.get(metric)),
        after=finite(measured.both.exported.scores.get(metric)),
        difference=interval_record(judged.interval, ends=enough),
        margin=judged.margin,
        margin_named=asked.margin is not None,
        verdict=judged.verdict.word if asked.precision != "fp32" else EQUAL if is_equal else DIFFERENT,
        test_examples=len(test),
        seen=judged.seen,
        test_units=judged.interval.units,
        example=test.task.info.example,
        parity=ParityRecord(**vars(measured.both.parity)),
        speed=ExportSpeed(**vars(speed), threads=int(described["threads"]), device=described["device"]),
        bytes=sum(file.size for file in files.values()),
        files=files,
        versions=versions,
        time=now(),
    )
    return record.model_copy(update={"version": record.version, "sentence": export_line(record)})


def _calibration_record(asked: Asked, setup: Setup) -> CalibrationOfExport | None:
    if asked.precision != "int8":
        return None
    if asked.format == "onnx":
        return CalibrationOfExport(method="dynamic")
    items = min(len(setup.splits.kept.train.rows.lengths("training")), CALIBRATION_BATCHES * CALIBRATION_BATCH_SIZE)
    return CalibrationOfExport(
        method="static", batches=-(-items // CALIBRATION_BATCH_SIZE), batch_size=CALIBRATION_BATCH_SIZE
    )


def _require_accepted(asked: Asked, record: ExportRecord, measured: Measured, target: Path) -> None:
    """Refuse an export that is not shown to be as good as the model.

    Raises:
        ExportRefused: with both scores, the interval, and what could be done.
    """
    verdict = measured.judged.verdict
    if record.verdict in ("KEPT", EQUAL):
        return
    if asked.precision == "fp32":
        raise ExportRefused(
            f"refused, since its outputs differ by up to {record.parity.largest:.2g} from the model's, and fp32 may "
            f"differ by {LARGEST_DIFFERENCE_FP32:g}: {record.sentence}; predict with the run itself, and report this"
        )
    without = f"--{asked.precision}"
    if record.seen:
        remedy = (
            f"export it without {without}, or adapt with a test of texts that the model does not learn (--test FILE)"
        )
    elif verdict.word == "FORGOT":
        remedy = f"export it without {without}, or allow a larger loss with --margin"
    else:
        remedy = f"export it without {without}, adapt with a larger test, or allow a larger loss with --margin"
    earlier = read_export(target)
    stays = "" if earlier is None else f"; the export accepted with a margin of {earlier.margin:g} stays in {target}"
    reason = f" ({verdict.reason})" if verdict.reason else ""
    raise ExportRefused(
        f"refused: a loss of {record.margin:g} is not excluded{reason}: {record.sentence}; {remedy}{stays}"
    )


def _check(setup: Setup, opened: Model, folder: Path) -> None:
    """Open a finished folder as a user would, and compare its answers with those that were measured."""
    items = np.arange(min(MAX_ITEMS_COMPARED, len(setup.test.rows.lengths("measuring"))))
    batch, _ = setup.test.task.collate(setup.test.rows, items, "measuring")
    again = open_exported(
        open_checkpoint(str(folder)), head=setup.task.info.head, threads=int(opened.describe()["threads"])
    )
    expected, got = opened.predict(batch), again.predict(batch)
    if not all(np.array_equal(expected[name], got[name]) for name in expected):
        raise CheckpointError(f"{folder}: the export answers otherwise than when it was measured; report this")


@contextlib.contextmanager
def _removed_if_empty(folder: Path) -> Generator[None]:
    """Remove a folder afterwards that holds nothing, where it was not there before."""
    was_there = folder.exists()
    try:
        yield
    finally:
        if not was_there:
            with contextlib.suppress(OSError):
                folder.rmdir()
