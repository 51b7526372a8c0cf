"""``homeground.make_pairs``: a taxonomy becomes three files of scored pairs, ready to adapt a sentence encoder to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from homeground.errors import UsageError
from homeground.inference.encoder import Encoder
from homeground.inference.loading import load
from homeground.recipe.files import SAVED_MODEL_PREFIX
from homeground.taxonomy import hard_negatives as hard
from homeground.taxonomy.draws import DrawnPairs, draw_pairs
from homeground.taxonomy.files import TaxonomyLayout
from homeground.taxonomy.pairs import TEST_SHARE, VALIDATION_SHARE, plan_pairs, write_splits
from homeground.training.events import Notice, OnEvent, ignore


@dataclass(frozen=True)
class Pairs:
    """The folder with train.csv, validation.csv and test.csv, and the content of its pairs.json."""

    folder: Path
    record: dict[str, Any]


def make_pairs(
    taxonomy: str | PathLike[str],
    *,
    out: str | PathLike[str] | None = None,
    groups: str | PathLike[str] | None = None,
    relations: str | PathLike[str] | None = None,
    layout: TaxonomyLayout | None = None,
    hold_out: int | None = None,
    validation: float = VALIDATION_SHARE,
    test: float = TEST_SHARE,
    counts: Mapping[str, int] | None = None,
    scores: Mapping[str, float] | None = None,
    hard_negatives: int = 0,
    checkpoint: str = "minilm",
    seed: int = 0,
    fresh: bool = False,
    on_event: OnEvent = ignore,
) -> Pairs:
    """Draw scored pairs from a taxonomy, whole groups held out, and write them into a folder.

    ``hold_out`` is the depth of the groups, 1 for branches; without it the shallowest depth that gives a test enough
    groups. ``counts`` and ``scores`` change those of single relations (``COUNTS``, ``SCORES``). ``hard_negatives`` asks
    for so many a concept, near for ``checkpoint`` and far in the tree. The default folder is ``runs/<taxonomy>-pairs``.

    Raises:
        DataError: a file cannot be read as asked, or there are too few groups or branches.
        UsageError: a count, a score or a share that cannot be followed.
        RunConflict: the folder holds something else, and ``fresh`` is not given.
    """
    plan = plan_pairs(
        taxonomy,
        groups=groups,
        relations=relations,
        layout=layout,
        hold_out=hold_out,
        validation=validation,
        test=test,
        counts=counts,
        scores=scores,
        seed=seed,
    )
    encoder = _open_encoder(checkpoint) if hard_negatives else None
    drawn: dict[str, DrawnPairs] = {}
    for split, concepts in plan.splits.concepts.items():
        near: list[tuple[int, int]] = []
        if encoder is not None:
            on_event(Notice(f"{split}: embedding {len(concepts):,} titles for hard negatives"))
            embeddings = encoder.encode([concept.title for concept in concepts])
            near = hard.hard_negatives(plan.taxonomy, concepts, embeddings, wanted=hard_negatives, seed=seed)
        drawn[split] = draw_pairs(plan.taxonomy, concepts, plan.pairing, seed=seed, hard_negatives=near)
    record = plan.record(drawn)
    record["hard_negatives"] = {"wanted": hard_negatives, "checkpoint": checkpoint if hard_negatives else None}
    stem = Path(taxonomy).name.removesuffix(".gz").rsplit(".", 1)[0]
    folder = Path(out) if out is not None else Path("runs") / f"{stem}-pairs"
    write_splits(folder, drawn, record, fresh=fresh)
    return Pairs(folder, record)


def _open_encoder(checkpoint: str) -> Encoder:
    if checkpoint.startswith(SAVED_MODEL_PREFIX):
        raise UsageError(f"--checkpoint {checkpoint}: hard negatives are not found with a SavedModel")
    model = load(checkpoint)
    if not isinstance(model, Encoder):
        raise UsageError(f"--checkpoint {checkpoint} classifies texts; hard negatives need a sentence encoder")
    return model
