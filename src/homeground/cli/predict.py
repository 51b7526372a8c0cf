"""``homeground predict``: labels, masked words, embeddings and similarities, of arguments or of a file."""

from __future__ import annotations

import itertools
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np

from homeground.cli.counting import Counting
from homeground.cli.options import GroupedCommand, common, sections, typed_settings
from homeground.errors import UsageError
from homeground.inference.classifier import Classifier
from homeground.inference.encoder import Encoder
from homeground.inference.files import predict_file
from homeground.inference.fill_mask import MaskedLM
from homeground.inference.loading import load
from homeground.wording import aligned

TOKENS_PER_MASK = 5
"""Tokens printed for a mask without --top."""

MAIN_OPTIONS = {
    "Texts from a file": ("input", "output", "text", "text_1", "text_2"),
    "Output": ("top", "embeddings", "json", "quiet", "help_all", "help"),
}
FILE = click.Path(path_type=Path)


@click.command(cls=GroupedCommand, main=MAIN_OPTIONS)
@click.argument("source", metavar="RUN|CHECKPOINT")
@click.argument("texts", nargs=-1)
@click.option("--input", "input_path", metavar="FILE", type=FILE, help="texts or pairs, instead of TEXTS")
@click.option("--output", "output_path", metavar="FILE", type=FILE, help="file to write: .csv, .jsonl or .npy")
@sections("text", "text_1", "text_2")
@click.option("--top", metavar="K", type=click.IntRange(min=1), help="number of labels, or of tokens for a mask")
@click.option("--embeddings", is_flag=True, help="print the embeddings of TEXTS as JSON Lines")
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
    """Predict labels, masked words, similarities or embeddings for TEXTS or a file, depending on the model.

    \b
    probabilities of labels, tokens for a mask, a similarity:
      homeground predict RUN "great film"
      homeground predict RUN "The [MASK] was benign."
      homeground predict RUN "data scientist" "statistician"
    \b
    a copy of a file with predictions, a matrix of embeddings:
      homeground predict RUN --input new.csv --text body --output labelled.csv
      homeground predict RUN --input texts.csv --output vectors.npy
    """
    if (input_path is None) != (output_path is None):
        raise UsageError("--input and --output need each other: the FILE to read and the FILE to write")
    if bool(texts) == (input_path is not None):
        raise UsageError('expected either texts or --input and --output, e.g. homeground predict RUN "text 1" "text 2"')
    if texts and (unused := typed_settings(values)):
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in unused)
        raise UsageError(f"{flags}: only for the FILE of --input; leave it out for texts on the command line")
    model = load(source)
    if input_path is not None and output_path is not None:
        progress = (lambda _done, _of: None) if quiet else Counting("rows")
        done = predict_file(model, input_path, output_path, on_progress=progress, **typed_settings(values))
        if not quiet:
            click.echo(f"wrote {done.rows:,} rows to {output_path}", err=True)
            if done.empty:
                click.echo(f"{done.empty:,} of them have an empty text and so no prediction", err=True)
    elif isinstance(model, Classifier):
        if embeddings:
            raise UsageError("--embeddings needs an encoder; this model predicts labels")
        _print_labels(model, texts, top=top, as_json=as_json)
    elif embeddings:
        for text, embedding in zip(texts, model.encode(texts), strict=True):
            click.echo(json.dumps({"text": text, "embedding": [round(float(x), 6) for x in embedding]}))
    elif isinstance(model, MaskedLM) and (len(texts) < 2 or any(model.has_mask(text) for text in texts)):
        _print_tokens(model, texts, count=top or TOKENS_PER_MASK, as_json=as_json)
    else:
        _print_similarities(model, texts, as_json=as_json)
    if model.truncated and not quiet:
        read = ", around each mask" if isinstance(model, MaskedLM) and model.windows else ""
        click.echo(f"{model.truncated} texts were cut to {model.checkpoint.max_length} tokens{read}", err=True)


def _print_tokens(model: MaskedLM, texts: tuple[str, ...], *, count: int, as_json: bool) -> None:
    for text, answers in zip(texts, model.fill_mask(texts, count), strict=True):
        if as_json:
            rounded = [{**asdict(answer), "probability": round(answer.probability, 6)} for answer in answers]
            click.echo(json.dumps({"text": text, "filled": rounded}, ensure_ascii=False))
            continue
        several = answers[-1].mask > 1
        for mask, group in itertools.groupby(answers, lambda answer: answer.mask):
            of_mask = list(group)
            rows = aligned([[f"  {answer.token}", f"{answer.probability:.4f}"] for answer in of_mask])
            # The text comes last, so that it needs no column width.
            lines = [f"{line}  {answer.text}" for line, answer in zip(rows, of_mask, strict=True)]
            click.echo("\n".join([f"{text}  (mask {mask})" if several else text, *lines]))


def _print_labels(model: Classifier, texts: tuple[str, ...], *, top: int | None, as_json: bool) -> None:
    matrix = model.predict_proba(texts)
    for text, probabilities, unsure in zip(texts, matrix, model.abstains(matrix).tolist(), strict=True):
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
        raise UsageError("a similarity needs at least two texts; for the embedding of one text add --embeddings")
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
