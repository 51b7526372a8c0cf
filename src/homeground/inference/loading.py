"""From a run, a model folder, a checkpoint or an export to a model in use, whose class follows from its head."""

from __future__ import annotations

import os
from os import PathLike
from pathlib import Path

from homeground.checkpoint import (
    EXPORTS,
    Checkpoint,
    classes_of,
    exports_of,
    fills_masks,
    is_bag_of_words,
    open_checkpoint,
    require_encoder,
    tags_of,
)
from homeground.checkpoint.exported import ANEW, EXPORT_NAMES, holds_export, require_export
from homeground.engines import ENGINES, engine_for, is_installed
from homeground.engines.exported.sessions import RUNTIMES
from homeground.errors import CheckpointError, UsageError, nearest
from homeground.inference.classifier import Classifier
from homeground.inference.encoder import Encoder
from homeground.inference.fill_mask import MaskedLM
from homeground.inference.tagger import Tagger
from homeground.inference.word_classifier import WordClassifier

AUTO = "auto"
"""The engine that is there: torch or, where it is not installed, an export of the run."""

WITH_WEIGHTS = tuple(ENGINES)
ENGINE_NAMES = (AUTO, *WITH_WEIGHTS, *EXPORT_NAMES)
"""What computes a model: an engine from its weights, or one of the exports of its run."""


def load(
    source: str | PathLike[str], *, engine: str = AUTO, trust_saved_model: bool = False
) -> Encoder | Classifier | Tagger:
    """Return the model of a run, a model folder, a checkpoint or an export, ready to be used.

    What a run has kept beside its model is named by its folder: ``run.before_folder``, ``run.baseline_folder``.

    The result is a ``Classifier`` where the checkpoint has labels for texts, a ``Tagger`` where it has tags for words,
    a ``MaskedLM`` where it has a head for masked words (which is an encoder too), and an ``Encoder`` otherwise.

    ``engine`` is "torch", "keras", or an export of the run by its name, such as "openvino-int8"; by default "auto":
    torch or, where torch is not installed, the export of the run that answers as the model does. A SavedModel, which is
    a program, is loaded with ``trust_saved_model`` only.

    Raises:
        CheckpointError: it cannot be found, opened or trusted.
        UsageError: the engine is not known, or is an export that the run does not have.
    """
    checkpoint, engine = choose(os.fspath(source), engine=engine, trust_saved_model=trust_saved_model)
    if is_bag_of_words(checkpoint):
        return WordClassifier(checkpoint, engine=engine)
    require_encoder(checkpoint)
    if classes_of(checkpoint):
        return Classifier(checkpoint, engine=engine)
    if tags_of(checkpoint):
        return Tagger(checkpoint, engine=engine)
    return (MaskedLM if fills_masks(checkpoint) else Encoder)(checkpoint, engine=engine)


def choose(source: str, *, engine: str = AUTO, trust_saved_model: bool = False) -> tuple[Checkpoint, str]:
    """Return the checkpoint that predicts for a source, and the engine that computes it; see ``load``."""
    if engine not in ENGINE_NAMES:
        raise UsageError(f'engine "{engine}" is not known; {nearest(engine, ENGINE_NAMES)}')
    run = Path(source)
    exports = exports_of(run) if os.path.isfile(run / "run.json") else []  # noqa: PTH113 - of names too long, False
    if engine in EXPORT_NAMES:
        if engine not in exports and not _is_export(run, engine):
            raise UsageError(
                f"{source} has no export {engine} ({_listed(exports)}); write it with: homeground export {source} "
                f"--format {' --'.join(engine.split('-'))}"
            )
        source = source if engine not in exports else str(run / EXPORTS / engine)
    elif engine == AUTO and exports and not is_installed("torch"):
        source = str(run / EXPORTS / _computable(exports))
    checkpoint = open_checkpoint(source, trust_saved_model=trust_saved_model)
    name = Path(source).name
    if checkpoint.exported and Path(source).parent == run / EXPORTS and checkpoint.exported.name != name:
        raise CheckpointError(
            f"{source}: holds the export {checkpoint.exported.name}, not {name}; take it out of the run, and {ANEW}"
        )
    return checkpoint, engine_for(checkpoint, engine if engine in WITH_WEIGHTS else "torch")


def _is_export(folder: Path, name: str) -> bool:
    """Tell whether a folder is itself the export of that name."""
    return holds_export(folder) and require_export(folder)[0].name == name


def _computable(exports: list[str]) -> str:
    """Return the first export whose runtime is installed, else the first, whose absence is then reported."""
    return next((name for name in exports if is_installed(RUNTIMES[name.partition("-")[0]])), exports[0])


def _listed(exports: list[str]) -> str:
    return f"it has {', '.join(exports)}" if exports else "it has none"
