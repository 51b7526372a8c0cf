"""``homeground pairs``: scored pairs from a taxonomy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from homeground.cli.options import common
from homeground.data.columns import CONCEPT_NAMES
from homeground.errors import UsageError
from homeground.taxonomy.draws import COUNTS, SCORES
from homeground.taxonomy.files import TaxonomyLayout
from homeground.taxonomy.pairs import TEST_SHARE, VALIDATION_SHARE
from homeground.wording import aligned
from homeground.workflows.pairs import make_pairs


@click.command()
@click.argument("taxonomy", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write [runs/<TAXONOMY>-pairs].")
@click.option("--groups", type=click.Path(path_type=Path), help="FILE of what stands above, e.g. ISCOGroups_en.csv.")
@click.option("--relations", type=click.Path(path_type=Path), help="FILE of child and parent, each an id.")
@click.option("--id", "id_", help="Column with the id of a concept.")
@click.option("--label", help="Column with its title.")
@click.option("--alternatives", help="Column with its other names.")
@click.option("--description", help="Column with what describes it.")
@click.option("--parent", help="Column with the ids of what stands above it.")
@click.option("--path", help='Column with its place, e.g. "Health > Nursing > Ward nurse".')
@click.option("--group", help="Column with its group.")
@click.option("--branch", help="Column with the branch of its group.")
@click.option("--delimiter", help="Between the columns of TAXONOMY: one character, or tab [,].")
@click.option("--encoding", default="utf-8", show_default=True, help="Encoding of all files.")
@click.option("--between-names", help="Between the alternatives of one concept [line ends and |].")
@click.option("--between-steps", default=">", show_default=True, help="Between the steps of a path.")
@click.option("--branch-depth", type=click.IntRange(min=1), default=1, show_default=True, help="Where branches stand.")
@click.option("--hold-out", type=click.IntRange(min=1), help="Depth of the groups that are held out, 1 for branches.")
@click.option("--validation", type=float, default=VALIDATION_SHARE, show_default=True, help="Share of the groups.")
@click.option("--test", type=float, default=TEST_SHARE, show_default=True, help="Share of the groups.")
@click.option("--count", "counts", multiple=True, metavar="RELATION=N", help="Pairs of each concept by relation.")
@click.option("--score", "scores", multiple=True, metavar="RELATION=X", help="Score of a relation.")
@click.option("--hard-negatives", type=click.IntRange(min=0), default=0, metavar="N", help="For each concept.")
@click.option("--checkpoint", default="minilm", show_default=True, help="By which hard negatives are near.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of splits and draws.")
@click.option("--fresh", is_flag=True, help="Move aside what the folder holds.")
@common
def pairs(taxonomy: Path, *, quiet: bool, as_json: bool, **options: Any) -> None:
    """Draw scored pairs from TAXONOMY, whole groups held out: train.csv, validation.csv and test.csv.

    \b
      homeground pairs occupations_en.csv --groups ISCOGroups_en.csv --out runs/esco-pairs
      homeground adapt runs/esco-pairs/train.csv --validation runs/esco-pairs/validation.csv \\
          --test runs/esco-pairs/test.csv
    """
    named = {part: options.pop("id_" if part == "id" else part) for part in CONCEPT_NAMES}
    layout = TaxonomyLayout(
        columns={part: column for part, column in named.items() if column is not None},
        **{name: options.pop(name) for name in ("delimiter", "encoding", "between_names", "between_steps")},
        branch_depth=options.pop("branch_depth"),
    )
    options["counts"] = {name: int(value) for name, value in _numbers("--count", options["counts"], COUNTS).items()}
    options["scores"] = _numbers("--score", options["scores"], SCORES)
    tell = None if quiet else lambda line: click.echo(line, err=True)
    made = make_pairs(taxonomy, layout=layout, tell=tell, **options)
    if as_json:
        click.echo(json.dumps({"folder": str(made.folder), **made.record}, ensure_ascii=False))
        return
    if not quiet:
        click.echo("\n".join(_told(made.record)))
    click.echo(f"wrote {made.folder}/train.csv, validation.csv and test.csv")


def _numbers(flag: str, assignments: tuple[str, ...], known: Any) -> dict[str, float]:
    """Return the numbers of RELATION=NUMBER, whole ones for --count."""
    numbers: dict[str, float] = {}
    for assignment in assignments:
        name, _, value = assignment.partition("=")
        try:
            numbers[name.strip()] = int(value) if flag == "--count" else float(value)
        except ValueError:
            expected = "a whole number" if flag == "--count" else "a number"
            listed = ", ".join(known)
            raise UsageError(
                f"{flag} {assignment}: expected RELATION=X, X {expected} and RELATION one of {listed}"
            ) from None
    return numbers


def _told(record: dict[str, Any]) -> list[str]:
    """Return what was read, held out, drawn and dropped."""
    splits = list(record["pairs"])
    relations = [relation for relation in SCORES if any(relation in record["pairs"][split] for split in splits)]
    rows = [["relation", *splits]]
    rows += [[name, *(f"{record['pairs'][split].get(name, 0):,}" for split in splits)] for name in relations]
    rows.append(["pairs", *(f"{sum(record['pairs'][split].values()):,}" for split in splits)])
    rows.append(["concepts", *(f"{record['split_concepts'][split]:,}" for split in splits)])
    rows.append([f"groups at depth {record['hold_out']}", *(f"{record['groups'][split]:,}" for split in splits)])
    names, apart = record["homonyms"], record["dropped"]["texts_in_two_splits"]
    lines = [
        f"{record['concepts']:,} concepts in {record['branches']} branches, {record['depth']} deep",
        *record["notes"],
    ]
    if names["names"]:
        lines.append(f"{names['names']:,} names stand for several concepts, such as {_listed(names['examples'])}")
        skipped = record["dropped"]["pairs_with_a_name_in_common"]
        lines.append(f"{skipped:,} draws of two concepts with a name in common were not used")
        nearer = record["dropped"]["pairs_with_nearer_namesakes"]
        lines.append(f"{nearer:,} draws of two texts that also belong to nearer concepts were not used")
    if gone := {kind: apart[kind] for kind in ("concepts", "alternatives", "descriptions") if apart[kind]}:
        listed = ", ".join(f"{count:,} {kind}" for kind, count in gone.items())
        lines.append(f"dropped, because they stand in two splits: {listed}, such as {_listed(apart['examples'])}")
    return [*lines, "", *aligned(rows), ""]


def _listed(names: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names[:3])
