"""homeground.adapt: read, check, train, prove, save, report; and its tokens, made ahead."""

from __future__ import annotations

import warnings
from os import PathLike
from pathlib import Path
from typing import Any, Unpack

from homeground.checkpoint import load_tokenizer
from homeground.data.cleaning import CleanedDocuments, Cleaner
from homeground.data.documents import sources_of
from homeground.data.sources.in_memory import takes_tables
from homeground.data.tokens.token_files import TokenParts
from homeground.errors import HomegroundWarning, UsageError
from homeground.experiment.data_record import data_warnings
from homeground.experiment.refusals import cleaner_for
from homeground.experiment.setup import open_for, prepare
from homeground.processes.shard import Shard
from homeground.recipe.files import Data
from homeground.recipe.keywords import AdaptKeywords
from homeground.recipe.recipe import Recipe, make_recipe, read_recipe
from homeground.results.run import Run
from homeground.tasks.reading import read_table
from homeground.training.events import Notice, OnEvent
from homeground.workflows.ablation import ablate
from homeground.workflows.company import in_company
from homeground.workflows.progress import reported
from homeground.workflows.resume_or_run import resume_or_run


@takes_tables
def adapt(
    data: Data | None = None,
    /,
    *,
    fresh: bool = False,
    processes: int = 1,
    quiet: bool = False,
    on_event: OnEvent | None = None,
    **settings: Unpack[AdaptKeywords],  # pyright: ignore[reportGeneralTypeIssues] - ``data`` is positional only
) -> Run:
    """Adapt a checkpoint to examples, and prove whether it helped.

    ``data`` is a file, several, a folder (docs/files.md) or a recipe in TOML, or a table: a list of dicts, a pandas or
    polars DataFrame, an Arrow table or a ``datasets.Dataset``; ``validation``, ``test`` and ``general`` may be tables,
    too. ``settings`` are the fields of the recipe by name, e.g. ``checkpoint="minilm", epochs=2``; a path may be a
    ``Run``. The same call again goes on
    where the last one stopped, by Ctrl-C too, and returns a finished run as it is; ``fresh`` moves it aside and starts
    anew. Progress is shown in a terminal and in a notebook unless ``quiet``; ``on_event`` is called with what happens
    instead. What should be known of the data comes as ``HomegroundWarning``, and is in ``run.warnings``.

    ``processes`` on this machine learn together; the weights have the same bits for any number that divides the
    ``slices``. Where a launcher such as torchrun has started several processes with this call, these do: the first one
    returns the run, the others end by SystemExit.

    Raises:
        HomegroundError: errors.py lists what can go wrong.
    """
    if isinstance(data, Run):
        raise UsageError(f"{data!r} is no data; a run goes in as the checkpoint: adapt(DATA, checkpoint=run)")
    recipe = resolve(data, **settings)
    recipe, company = in_company(recipe, processes)
    with company, reported(on_event, quiet=quiet) as listener:
        setup = prepare(recipe, report=lambda text: listener(Notice(text)))
        for text in data_warnings(setup.record):
            warnings.warn(text, HomegroundWarning, stacklevel=3)  # of the caller of what takes tables
        run = resume_or_run(setup, listener, fresh=fresh)
        ablate(run, setup.recipe, listener)
        return run


def resolve(data: Data | None = None, /, **settings: Any) -> Recipe:
    """Return the recipe of a data file or a TOML file overlaid by settings, another ``data`` for a recipe included."""
    source = settings.pop("data", None) if data is None else data
    if isinstance(source, str | PathLike) and Path(source).suffix.lower() == ".toml":
        return make_recipe(read_recipe(source), **settings)
    return make_recipe({}, **(settings if source is None else {"data": source, **settings}))


def tokenize(recipe: Recipe, shard: Shard) -> list[TokenParts]:
    """Make a shard of the token files that ``adapt`` with this recipe reads, in the user's cache, with all cores.

    Returns the parts of every file of texts that is learned from, validated or tested on, as it is and cleaned. Files
    below 64 MiB have none, for they are tokenized in memory; those of general texts are left to the run.

    Raises:
        UsageError: the data is no plain text, or the recipe extends the vocabulary.
        ProcessLost: a process that tokenized has ended.
    """
    if recipe.masking.extend_vocabulary:
        raise UsageError(
            f"--extend-vocabulary {recipe.masking.extend_vocabulary}: which tokens are new is known when all texts are "
            "tokenized; leave it out to tokenize them ahead"
        )
    read = read_table(recipe)
    if read.spec.info.cleaning != "training":
        raise UsageError(
            f"--tokenize: {recipe.data} is read for {read.spec.info.name}, and only plain texts are tokenized ahead; "
            "leave it out, or read the texts with --task mlm"
        )
    corpus, checkpoint = read.corpus(), open_for(read.recipe, read.spec)
    cleaned = CleanedDocuments(cleaner_for(read.recipe, read.spec.info, checkpoint))
    tokenizer = load_tokenizer(checkpoint, max_length=checkpoint.max_length, cleaner=Cleaner())
    measured = [*corpus.validation.examples, *corpus.as_read.test.examples]
    sources = sources_of([*cleaned(corpus.train.examples), *measured])
    files = (source.token_files(tokenizer) for source in sources)
    return [each.make(shard) for each in files if each is not None]
