"""``homeground checkpoints``: checkpoints by language, task and domain."""

from __future__ import annotations

from dataclasses import asdict

import click

from homeground.checkpoint import CatalogEntry, select
from homeground.cli.options import GroupedCommand, as_json, debug, quiet
from homeground.cli.terminal.screen import show_result
from homeground.tasks import TASKS
from homeground.wording import count, number

MAX_LANGUAGES_SHOWN = 3


@click.command(cls=GroupedCommand)
@click.option("--language", metavar="CODE", help="code of two letters, such as en or zh")
@click.option("--task", type=click.Choice(list(TASKS)), help="what is to be learned")
@click.option("--domain", metavar="NAME", help="such as general, biomedical or legal")
@as_json
@quiet
@debug
def checkpoints(language: str | None, task: str | None, domain: str | None, *, quiet: bool, as_json: bool) -> None:
    """List checkpoints on the Hub: size, languages, length, licence, and what each is good for.

    Those of the language alone come first, small ones before large ones. homeground compare --checkpoints decides
    between them by measurement.
    """
    entries = select(language=language, task=task, domain=domain)
    record = [asdict(entry) for entry in entries]
    show_result(record, [line for entry in entries for line in _lines(entry)] + _end(entries, quiet), as_json=as_json)


def _lines(entry: CatalogEntry) -> list[str]:
    languages = ", ".join(entry.languages[:MAX_LANGUAGES_SHOWN]) + (
        " and more" if len(entry.languages) > MAX_LANGUAGES_SHOWN else ""
    )
    kind = "masked LM" if entry.kind == "masked-lm" else "sentence encoder"
    facts = [
        f"{number(entry.millions, 0)} M",
        languages,
        entry.domain,
        kind,
        f"{entry.max_length:,} tokens",
        entry.tokenizer,
        f"licence {entry.licence}",
    ]
    pickled = "; weights are pickled: homeground convert first" if entry.weights == "pickle" else ""
    return [entry.name, f"  {', '.join(facts)}{pickled}", f"  {entry.good_for}", ""]


def _end(entries: list[CatalogEntry], quiet: bool) -> list[str]:
    if not entries:
        return ["no checkpoint of this list fits; homeground checkpoints lists all"]
    if quiet:
        return []
    own = (
        [] if any(not each.is_multilingual for each in entries) else ["none of these was made for this language alone"]
    )
    return [*own, f"{count(len(entries), 'checkpoint')}; their facts and sources: docs/checkpoints.md"]
