"""``homeground pairs``: draw scored pairs from a taxonomy."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from homeground.cli.options import GroupedCommand, common
from homeground.cli.terminal.progress import Progress
from homeground.cli.terminal.screen import show
from homeground.data.columns import CONCEPT_NAMES
from homeground.errors import UsageError
from homeground.taxonomy.draws import COUNTS, SCORES
from homeground.taxonomy.files import TaxonomyLayout
from homeground.taxonomy.pairs import TEST_SHARE, VALIDATION_SHARE
from homeground.wording import aligned
from homeground.workflows.pairs import make_pairs

MAIN_OPTIONS = {
    "Files": ("out", "groups", "relations", "fresh"),
    "Columns of TAXONOMY": ("label", "alternatives", "description", "parent", "path"),
    "Pairs": ("hold_out", "validation", "test", "count", "score", "hard_negatives", "seed", "help_all"),
}
ALL_OPTIONS = {
    "Files": ("out", "groups", "relations", "delimiter", "encoding", "between_names", "between_steps", "fresh"),
    "Columns of TAXONOMY": tuple(CONCEPT_NAMES),
    "Splits": ("branch_depth", "hold_out", "validation", "test", "seed"),
    "Pairs": ("count", "score", "hard_negatives", "checkpoint"),
    "Options": ("json", "quiet", "language", "debug", "help_all", "help"),
}
DEPTH = click.IntRange(min=1)


@click.command(cls=GroupedCommand, main=MAIN_OPTIONS, groups=ALL_OPTIONS)
@click.argument("taxonomy", type=click.Path(path_type=Path))
@click.option(
    "--out", metavar="FOLDER", type=click.Path(path_type=Path), help="folder to write [runs/<TAXONOMY>-pairs]"
)
@click.option(
    "--groups", metavar="FILE", type=click.Path(path_type=Path), help="table of the groups above the concepts"
)
@click.option("--relations", metavar="FILE", type=click.Path(path_type=Path), help="table of child and parent, by id")
@click.option("--id", "id_", metavar="COLUMN", help="column with the id of a concept")
@click.option("--label", metavar="COLUMN", help="column with the title of a concept")
@click.option("--alternatives", metavar="COLUMN", help="column with its other names")
@click.option("--description", metavar="COLUMN", help="column with its description")
@click.option("--parent", metavar="COLUMN", help="column with the ids of its parents")
@click.option("--path", metavar="COLUMN", help='column with its path, e.g. "Health > Nursing > RGN"')
@click.option("--group", metavar="COLUMN", help="column with its group")
@click.option("--branch", metavar="COLUMN", help="column with the branch of its group")
@click.option("--delimiter", metavar="X", help="character between the columns of TAXONOMY, or the word tab [,]")
@click.option("--encoding", default="utf-8", metavar="NAME", help="encoding of all files [utf-8]")
@click.option("--between-names", metavar="X", help="separator of the other names [line ends and |]")
@click.option("--between-steps", default=">", metavar="X", help="separator of the steps of a path [>]")
@click.option("--branch-depth", type=DEPTH, default=1, metavar="N", help="depth of the branches in the tree [1]")
@click.option("--hold-out", type=DEPTH, metavar="N", help="depth of the groups to split by; 1: branches")
@click.option(
    "--validation", type=float, default=VALIDATION_SHARE, metavar="X", help=f"share of the groups [{VALIDATION_SHARE}]"
)
@click.option("--test", type=float, default=TEST_SHARE, metavar="X", help=f"share of the groups [{TEST_SHARE}]")
@click.option("--count", "counts", multiple=True, metavar="RELATION=N", help="pairs of each concept, by relation")
@click.option("--score", "scores", multiple=True, metavar="RELATION=X", help="score of a pair, by relation")
@click.option(
    "--hard-negatives", type=click.IntRange(min=0), default=0, metavar="N", help="hard negatives of a concept"
)
@click.option("--checkpoint", default="minilm", metavar="NAME", help="encoder that finds hard negatives [minilm]")
@click.option("--seed", type=int, default=0, metavar="N", help="seed of splits and draws [0]")
@click.option("--fresh", is_flag=True, help="rename an earlier folder, and write a new one")
@common
def pairs(taxonomy: Path, *, quiet: bool, as_json: bool, **options: Any) -> None:
    """Draw scored pairs from TAXONOMY and write train.csv, validation.csv and test.csv, which share no group.

    \b
      homeground pairs occupations_en.csv --groups ISCOGroups_en.csv --out esco
      homeground adapt esco/train.csv --validation esco/validation.csv \\
          --test esco/test.csv
    """
    columns = {part: options.pop("id_" if part == "id" else part) for part in CONCEPT_NAMES}
    layout = TaxonomyLayout(
        columns={part: column for part, column in columns.items() if column is not None},
        **{name: options.pop(name) for name in ("delimiter", "encoding", "between_names", "between_steps")},
        branch_depth=options.pop("branch_depth"),
    )
    options["counts"] = {name: int(value) for name, value in _numbers("--count", options["counts"], COUNTS).items()}
    options["scores"] = _numbers("--score", options["scores"], SCORES)
    with Progress(quiet=quiet) as progress:
        made = make_pairs(taxonomy, layout=layout, on_event=progress, **options)
    if as_json:
        click.echo(json.dumps({"folder": str(made.folder), **made.record}, ensure_ascii=False))
        return
    if not quiet:
        show(_summary(made.record))
    click.echo(f"wrote {made.folder}/train.csv, validation.csv and test.csv")


def _numbers(flag: str, assignments: tuple[str, ...], relations: Iterable[str]) -> dict[str, float]:
    """Return the numbers of RELATION=NUMBER, whole ones for --count."""
    numbers: dict[str, float] = {}
    for assignment in assignments:
        name, _, value = assignment.partition("=")
        try:
            numbers[name.strip()] = int(value) if flag == "--count" else float(value)
        except ValueError:
            expected = "a whole number" if flag == "--count" else "a number"
            listed = ", ".join(relations)
            raise UsageError(
                f"{flag} {assignment}: expected RELATION=X, with X {expected} and RELATION one of {listed}"
            ) from None
    return numbers


def _summary(record: dict[str, Any]) -> list[str]:
    """Return the lines about what was read, split, drawn and dropped."""
    splits = list(record["pairs"])
    relations = [relation for relation in SCORES if any(relation in record["pairs"][split] for split in splits)]
    rows = [["relation", *splits]]
    rows += [[name, *(f"{record['pairs'][split].get(name, 0):,}" for split in splits)] for name in relations]
    rows.append(["pairs", *(f"{sum(record['pairs'][split].values()):,}" for split in splits)])
    rows.append(["concepts", *(f"{record['split_concepts'][split]:,}" for split in splits)])
    rows.append([f"groups at depth {record['hold_out']}", *(f"{record['groups'][split]:,}" for split in splits)])
    names, in_two = record["homonyms"], record["dropped"]["texts_in_two_splits"]
    lines = [
        f"{record['concepts']:,} concepts in {record['branches']} branches, {record['depth']} deep",
        *record["notes"],
    ]
    if names["names"]:
        lines.append(f"{names['names']:,} names belong to several concepts, such as {_quoted(names['examples'])}")
        skipped = record["dropped"]["pairs_with_a_name_in_common"]
        lines.append(f"{skipped:,} draws of two concepts with a common name were skipped")
        nearer = record["dropped"]["pairs_with_nearer_namesakes"]
        lines.append(f"{nearer:,} draws of two texts that also belong to nearer concepts were skipped")
    if dropped := {kind: in_two[kind] for kind in ("concepts", "alternatives", "descriptions") if in_two[kind]}:
        listed = ", ".join(f"{count:,} {kind}" for kind, count in dropped.items())
        lines.append(f"dropped, because they are in two splits: {listed}, such as {_quoted(in_two['examples'])}")
    return [*lines, "", *aligned(rows), ""]


def _quoted(names: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names[:3])
