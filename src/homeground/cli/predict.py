"""``homeground predict``: labels, missing words, embeddings and similarities, from arguments or file to file."""

from __future__ import annotations

import itertools
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np

from homeground.cli.counting import Counting
from homeground.cli.options import GroupedCommand, common, given, sections
from homeground.errors import UsageError
from homeground.inference.classifier import Classifier
from homeground.inference.encoder import Encoder
from homeground.inference.files import predict_file
from homeground.inference.fill_mask import MaskedLM
from homeground.inference.loading import load
from homeground.wording import aligned

FILLED = 5
"""Tokens printed for a mask where --top says nothing."""


@click.command(cls=GroupedCommand)
@click.argument("source", metavar="RUN|CHECKPOINT")
@click.argument("texts", nargs=-1)
@click.option("--input", "input_path", type=click.Path(path_type=Path), help="FILE of pairs or texts instead of TEXTS.")
@click.option("--output", "output_path", type=click.Path(path_type=Path), help="FILE to write: .csv, .jsonl or .npy.")
@click.option("--text", default=None, help="Column of FILE with the only text.")
@click.option("--text-1", default=None, help="Column of FILE with the first text of a pair.")
@click.option("--text-2", default=None, help="Column of FILE with the second text of a pair.")
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=None,
    help="Print the K most probable labels only, or K tokens for a mask.",
)
@click.option("--embeddings", is_flag=True, help="Print the embeddings of TEXTS as JSON Lines.")
@sections("reading")
@common
def predict(
    source: str,
    texts: tuple[str, ...],
    *,
    input_path: Path | None,
    output_path: Path | None,
    top: int | None,
    embeddings: bool,
    quiet: bool,
    as_json: bool,
    **values: Any,
) -> None:
    """Label TEXTS, fill in their masks or compare them with each other, as the model does; or predict a file.

    \b
      homeground predict RUN "great film"                              label and probability of every label
      homeground predict RUN "The [MASK] was benign."                  the five likeliest tokens for the mask
      homeground predict RUN "data scientist" "statistician"
      homeground predict RUN --input pairs.csv --output scored.csv     adds labels, or a column similarity
      homeground predict RUN --input texts.csv --output vectors.npy    embeddings, a row each
      homeground predict RUN --input new.csv --delimiter ";" --text body --output labelled.csv
    """
    if (input_path is None) != (output_path is None):
        raise UsageError("--input and --output go together: FILE to read and FILE to write")
    if bool(texts) == (input_path is not None):
        raise UsageError('give either texts or --input and --output, e.g. homeground predict RUN "text 1" "text 2"')
    if texts and (strange := given(values)):
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in strange)
        raise UsageError(f"{flags}: for the FILE of --input only; texts on the command line are taken as they are")
    model = load(source)
    if input_path is not None and output_path is not None:
        told = (lambda _done, _of: None) if quiet else Counting("rows")
        done = predict_file(model, input_path, output_path, told=told, **given(values))
        if not quiet:
            click.echo(f"wrote {done.rows:,} rows to {output_path}", err=True)
            if done.empty:
                click.echo(f"{done.empty:,} of them have an empty text, and so no prediction", err=True)
    elif isinstance(model, Classifier):
        if embeddings:
            raise UsageError("--embeddings is for sentence encoders; this model gives labels")
        _print_labels(model, texts, top=top, as_json=as_json)
    elif embeddings:
        for text, embedding in zip(texts, model.encode(texts), strict=True):
            click.echo(json.dumps({"text": text, "embedding": [round(float(x), 6) for x in embedding]}))
    elif isinstance(model, MaskedLM) and (len(texts) < 2 or any(model.has_mask(text) for text in texts)):
        _print_filled(model, texts, count=top or FILLED, as_json=as_json)
    else:
        _print_similarities(model, texts, as_json=as_json)
    if model.truncated and not quiet:
        read = ", around each mask" if isinstance(model, MaskedLM) and model.windows else ""
        click.echo(f"{model.truncated} texts were cut to {model.checkpoint.max_length} tokens{read}", err=True)


def _print_filled(model: MaskedLM, texts: tuple[str, ...], *, count: int, as_json: bool) -> None:
    for text, answers in zip(texts, model.fill_mask(texts, count), strict=True):
        if as_json:
            told = [{**asdict(answer), "probability": round(answer.probability, 6)} for answer in answers]
            click.echo(json.dumps({"text": text, "filled": told}, ensure_ascii=False))
            continue
        several = answers[-1].mask > 1
        for mask, group in itertools.groupby(answers, lambda answer: answer.mask):
            own = list(group)
            rows = aligned([[f"  {answer.token}", f"{answer.probability:.4f}"] for answer in own])
            # The text stands behind its probability, so that it needs no width of its own.
            lines = [f"{line}  {answer.text}" for line, answer in zip(rows, own, strict=True)]
            click.echo("\n".join([f"{text}  (mask {mask})" if several else text, *lines]))


def _print_labels(model: Classifier, texts: tuple[str, ...], *, top: int | None, as_json: bool) -> None:
    given = model.predict_proba(texts)
    for text, probabilities, unsure in zip(texts, given, model.abstains(given).tolist(), strict=True):
        order = np.argsort(-probabilities, kind="stable")[:top]
        ranked = {model.classes_[place]: float(probabilities[place]) for place in order}
        if as_json:
            rounded = {name: round(value, 6) for name, value in ranked.items()}
            abstained = {} if model.threshold is None else {"abstained": unsure}
            click.echo(json.dumps({"text": text, **abstained, "probabilities": rounded}, ensure_ascii=False))
        else:
            title = f"{text}  (abstain: no label reaches {model.threshold:.4f})" if unsure else text
            click.echo("\n".join([title, *aligned([[f"  {name}", f"{value:.4f}"] for name, value in ranked.items()])]))


def _print_similarities(model: Encoder, texts: tuple[str, ...], *, as_json: bool) -> None:
    if len(texts) < 2:
        raise UsageError("a similarity needs at least two texts; for the vector of one text add --embeddings")
    matrix = np.asarray(model.similarities(texts))
    if as_json:
        click.echo(json.dumps({"texts": texts, "similarity": matrix.round(6).tolist(), "kind": model.kind}))
    elif len(texts) == 2:
        click.echo(f"{matrix[0, 1]:.4f}")
    else:
        numbers = [str(number + 1) for number in range(len(texts))]
        rows = [["", *numbers]]
        rows += [
            [f"{number}  {text}", *(f"{value:.3f}" for value in row)]
            for number, text, row in zip(numbers, texts, matrix, strict=True)
        ]
        click.echo("\n".join(aligned(rows)))
