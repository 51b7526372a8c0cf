"""``homeground predict``: labels, entities, masked words, embeddings and similarities, of arguments or of a file."""

from __future__ import annotations

import itertools
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np

from homeground.cli.options import GroupedCommand, common, sections, typed_settings
from homeground.cli.terminal.progress import Counting
from homeground.cli.terminal.screen import remark
from homeground.cli.terminal.standard_input import STANDARD_INPUT, data_file
from homeground.errors import UsageError
from homeground.inference.bulk import FileCounts, predict_files
from homeground.inference.classifier import Classifier
from homeground.inference.encoder import Encoder
from homeground.inference.files import RowCounts, predict_file, print_predictions, require_embeddings
from homeground.inference.fill_mask import MaskedLM
from homeground.inference.loading import AUTO, ENGINE_NAMES, load
from homeground.inference.tagger import Tagger
from homeground.inference.texts import has_text, names_file
from homeground.processes.shard import Shard
from homeground.wording import aligned, count, printable

TOKENS_PER_MASK = 5
"""Tokens printed for a mask without --top."""

NO_TOP = "--top is for labels of texts and for masked words; leave it out"

MAIN_OPTIONS = {
    "Texts from a file": ("input", "output", "text", "text_1", "text_2", "processes", "shard"),
    "Output": ("engine", "top", "embeddings", "json", "quiet", "help_all", "help"),
}


@click.command(cls=GroupedCommand, main=MAIN_OPTIONS)
@click.argument("source", metavar="RUN|CHECKPOINT")
@click.argument("texts", nargs=-1)
@click.option("--input", "input_path", metavar="FILE", help="texts or pairs, or a pattern; - is standard input")
@click.option(
    "--output", "output_path", metavar="FILE", help=".csv, .jsonl, .npy, or a folder such as out/; default: print"
)
@click.option("--processes", metavar="N", type=click.IntRange(min=1), help="processes that share the files of --input")
@click.option("--shard", metavar="I/N", help="predict only every N-th file of --input, from the I-th on")
@sections("text", "text_1", "text_2")
@click.option("--engine", metavar="NAME", default=AUTO, help=f"what computes ({', '.join(ENGINE_NAMES)}) [{AUTO}]")
@click.option("--top", metavar="K", type=click.IntRange(min=1), help="number of labels, or of tokens for a mask")
@click.option("--embeddings", is_flag=True, help="embeddings instead of similarities or masked words")
@sections("reading", "trust_saved_model")
@common
def predict(
    source: str,
    texts: tuple[str, ...],
    *,
    input_path: str | None,
    output_path: str | None,
    processes: int | None,
    shard: str | None,
    engine: str,
    top: int | None,
    embeddings: bool,
    quiet: bool,
    as_json: bool,
    **values: Any,
) -> None:
    """Predict labels, entities, masked words, similarities or embeddings for TEXTS or a file, depending on the model.

    \b
    labels, entities, tokens for a mask, a similarity (- reads lines):
      homeground predict RUN "great film"
      homeground predict RUN "The [MASK] was benign."
      homeground predict RUN "data scientist" "statistician"
    \b
    a file with predictions, printed or written, a matrix of embeddings:
      homeground predict RUN --input new.csv --text body
      homeground predict RUN --input new.csv --text body --output labelled.csv
      homeground predict RUN --input texts.csv --output vectors.npy
    \b
    many files into a folder, each written whole; finished ones are skipped:
      homeground predict RUN --input 'in/*.jsonl' --output out/ --processes 4
    \b
    without torch, by what `homeground export RUN` wrote:
      homeground predict RUN --engine openvino "great film"
    """
    trusted = bool(values.pop("trust_saved_model", False))
    settings = typed_settings(values)
    texts = _read_texts(texts, input_path, output_path, settings)
    options: dict[str, Any] = {"top": top, "embeddings": embeddings, **settings}
    if input_path is not None and _is_folder(output_path):
        options |= {"trust_saved_model": trusted, "engine": engine}
        parts: dict[str, Any] = {"processes": processes or 1, "shard": Shard.parse(shard or "1/1")}
        report = (lambda _text: None) if quiet else remark
        done = predict_files(source, input_path, Path(str(output_path)), report=report, **parts, **options)
        _report_files(done, str(output_path), quiet=quiet, as_json=as_json)
        return
    if processes or shard:
        raise UsageError("--processes and --shard are for files of --input and a folder as --output, such as out/")
    model = load(source, engine=engine, trust_saved_model=trusted)
    if input_path is not None:
        with data_file(input_path, settings) as path:
            options = {"top": top, "embeddings": embeddings, **settings}  # without what standard input took
            _predict_rows(model, path, output_path, quiet=quiet, as_json=as_json, options=options)
    else:
        _predict_texts(model, texts, top=top, embeddings=embeddings, as_json=as_json)
    if model.truncated and not quiet:
        read = ", around each mask" if isinstance(model, MaskedLM) and model.windows else ""
        cut = count(model.truncated, "text was", "texts were")
        remark(f"{cut} cut to {model.checkpoint.max_length} tokens{read}")


def _predict_texts(
    model: Encoder | Classifier | Tagger, texts: tuple[str, ...], *, top: int | None, embeddings: bool, as_json: bool
) -> None:
    """Print what the model predicts for texts of the command line."""
    if not isinstance(model, Encoder):
        if embeddings:
            require_embeddings(model)
        if isinstance(model, Classifier):
            _print_labels(model, texts, top=top, as_json=as_json)
        else:
            _print_entities(model, texts, top=top, as_json=as_json)
    elif not embeddings and isinstance(model, MaskedLM) and (len(texts) < 2 or any(map(model.has_mask, texts))):
        _print_tokens(model, texts, top=top or TOKENS_PER_MASK, as_json=as_json)
    elif top is not None:
        raise UsageError(NO_TOP)
    elif embeddings:
        for text, embedding in zip(texts, model.encode(texts), strict=True):
            rounded = [round(float(x), 6) for x in embedding]
            click.echo(json.dumps({"text": text, "embedding": rounded}, ensure_ascii=False))
    else:
        _print_similarities(model, texts, as_json=as_json)


def _read_texts(
    texts: tuple[str, ...], input_path: str | None, output_path: str | None, settings: dict[str, Any]
) -> tuple[str, ...]:
    """Return the texts of the command line or of standard input, after checking what goes with what.

    Raises:
        UsageError: there are no texts, one is empty or the name of a file, or an option needs a file.
    """
    if bool(texts) == (input_path is not None):
        raise UsageError('expected either texts or --input FILE, e.g. homeground predict RUN "text 1" "text 2"')
    if not texts:
        return ()
    if output_path is not None:
        raise UsageError(f"--output {output_path}: only for the FILE of --input; leave it out to print predictions")
    if settings:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in settings)
        raise UsageError(f"{flags}: only for the FILE of --input; leave it out for texts on the command line")
    if texts == (STANDARD_INPUT,):
        return _piped_texts()
    for number, text in enumerate(texts, start=1):
        if not has_text(text):
            raise UsageError(f"text {number} is empty, so nothing can be predicted for it")
        if text == STANDARD_INPUT:
            raise UsageError('"-" stands for standard input, which goes with no other texts; leave the others out')
        if names_file(text):
            raise UsageError(
                f'"{text}" is the name of a file; did you mean --input {text}? To predict these very words, pipe them '
                f"in: echo {text} | homeground predict RUN -"
            )
    return texts


def _piped_texts() -> tuple[str, ...]:
    """Return the lines of standard input that hold a text."""
    lines = sys.stdin.buffer.read().decode("utf-8", "surrogateescape").splitlines()
    texts = tuple(line for line in lines if has_text(line))
    if not texts:
        raise UsageError("standard input holds no text; expected one a line")
    if empty := len(lines) - len(texts):
        remark(f"{count(empty, 'empty line')} skipped")
    return texts


def _predict_rows(
    model: Encoder | Classifier | Tagger,
    path: str,
    output_path: str | None,
    *,
    quiet: bool,
    as_json: bool,
    options: dict[str, Any],
) -> None:
    """Predict the rows of a file, and write or print them; --json prints JSON Lines."""
    if output_path in (None, STANDARD_INPUT):
        form = "jsonl" if as_json else "table" if sys.stdout.isatty() else "csv"
        _report_rows(print_predictions(model, path, sys.stdout, form, **options), "", quiet=quiet)
        return
    progress = (lambda _done, _of: None) if quiet else Counting("rows")
    done = predict_file(model, path, output_path, on_progress=progress, **options)
    if as_json:
        click.echo(json.dumps({"output": output_path, **asdict(done)}, ensure_ascii=False))
    _report_rows(done, f"wrote {count(done.rows, 'row')} to {output_path}", quiet=quiet)


def _is_folder(path: str | None) -> bool:
    """Return whether an output is a folder: it ends as one, or is there as one."""
    return path is not None and (path.endswith(("/", os.sep)) or Path(path).is_dir())


def _report_files(done: FileCounts, folder: str, *, quiet: bool, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"output": folder, **asdict(done)}, ensure_ascii=False))
    if not quiet:
        if done.truncated:
            remark(f"{count(done.truncated, 'text was', 'texts were')} cut to the maximum length of the model")
        skipped = f", {count(done.skipped, 'file')} finished before" if done.skipped else ""
        if done.empty:
            empty = "row has" if done.empty == 1 else "rows have"
            remark(f"{done.empty:,} {empty} an empty text and so no prediction")
        remark(f"wrote {count(done.files, 'file')} with {count(done.rows, 'row')} to {folder}{skipped}")


def _report_rows(done: RowCounts, written: str, *, quiet: bool) -> None:
    if quiet:
        return
    if written:
        remark(written)
    if done.empty:
        empty = "row has" if done.empty == 1 else "rows have"
        remark(f"{done.empty:,} {empty} an empty text and so no prediction")


def _print_tokens(model: MaskedLM, texts: tuple[str, ...], *, top: int, as_json: bool) -> None:
    for text, answers in zip(texts, model.fill_mask(texts, top), strict=True):
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
            _print([f"{text}  (mask {mask})" if several else text, *lines])


def _print_labels(model: Classifier, texts: tuple[str, ...], *, top: int | None, as_json: bool) -> None:
    matrix = model.predict_proba(texts)
    for text, probabilities, unsure in zip(texts, matrix, model.abstains(matrix).tolist(), strict=True):
        ranked = dict(model.ranked(probabilities, top))
        if as_json:
            rounded = {name: round(value, 6) for name, value in ranked.items()}
            abstained = {} if model.threshold is None else {"abstained": unsure}
            click.echo(json.dumps({"text": text, **abstained, "probabilities": rounded}, ensure_ascii=False))
        else:
            title = f"{text}  (abstain: no label reaches {model.threshold:.4f})" if unsure else text
            lines = aligned([[f"  {name}", f"{value:.4f}"] for name, value in ranked.items()])
            _print([title, *lines])


def _print_entities(model: Tagger, texts: tuple[str, ...], *, top: int | None, as_json: bool) -> None:
    """Print the entities of texts, each with its label, its probability and its place in characters."""
    if top is not None:
        raise UsageError(NO_TOP)
    for text, found in zip(texts, model.entities(list(texts)), strict=True):
        if as_json:
            rounded = [{**each._asdict(), "probability": round(each.probability, 6)} for each in found]
            click.echo(json.dumps({"text": text, "entities": rounded}, ensure_ascii=False))
            continue
        rows = [
            [f"  {each.text}", f"{each.label}  ", f"{each.probability:.4f}", f"{each.start}-{each.end}"]
            for each in found
        ]
        _print([text, *(aligned(rows) if rows else ["  no entity"])])


def _print_similarities(model: Encoder, texts: tuple[str, ...], *, as_json: bool) -> None:
    if len(texts) < 2:
        raise UsageError("a similarity needs at least two texts; for the embedding of one text add --embeddings")
    matrix = np.asarray(model.similarities(texts))
    if as_json:
        values = {"texts": texts, "similarity": matrix.round(6).tolist(), "kind": model.kind}
        click.echo(json.dumps(values, ensure_ascii=False))
    elif len(texts) == 2:
        click.echo(f"{matrix[0, 1]:.4f}")
    else:
        numbers = [str(number + 1) for number in range(len(texts))]
        rows = [["", *numbers]]
        rows += [
            [f"{number}  {text}", *(f"{value:.3f}" for value in row)]
            for number, text, row in zip(numbers, texts, matrix, strict=True)
        ]
        _print(aligned(rows))


def _print(lines: Sequence[str]) -> None:
    """Print lines in which nothing steers the terminal."""
    click.echo("\n".join(map(printable, lines)))
