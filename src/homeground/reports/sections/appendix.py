"""What the results are based on: the data, the settings, and how to read the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from homeground.data.units import MIN_UNITS
from homeground.reports.task_pages import task_page
from homeground.results.data import SplitRecord
from homeground.results.record import RunRecord
from homeground.wording import count, row_numbers, shorten

MOST_HUBS = 10
"""How many texts of many pairs are listed."""

MOST_FILES, MOST_REASONS, MOST_NOTES = 20, 30, 30
"""How many files, reasons for skipping rows, and remarks are listed."""

LONGEST_VALUE = 400
"""Characters of a setting that are shown."""

SPLITS = {"train": "for training", "validation": "for selection", "test": "for the verdict"}

GOLD = {"label": "labels", "similarity": "similarities"}
"""The targets that people gave the examples, by the role of their column."""


def data(record: RunRecord) -> dict[str, Any] | None:
    """Return what was read, skipped and split, or None where there is no data.json."""
    values = record.data
    if not values.model_fields_set:
        return None
    sizes = {name: getattr(values.counts, name) for name in SPLITS}
    total = sum(sizes.values())
    return {
        "splits": [
            (name, duty, sizes[name], values.split.units.get(name), round(100 * sizes[name] / total, 2) if total else 0)
            for name, duty in SPLITS.items()
        ]
        if values.counts.model_fields_set
        else [],
        "split_note": _split_note(values.split),
        "checks": _checks(record),
        "hubs": values.hubs[:MOST_HUBS],
        "hubs_left": len(values.hubs) - MOST_HUBS,
        "files": values.files[:MOST_FILES],
        "files_left": len(values.files) - MOST_FILES,
        "skipped": values.set_aside[:MOST_REASONS],
        "skipped_left": len(values.set_aside) - MOST_REASONS,
        "notes": [shorten(note, LONGEST_VALUE) for note in values.notes[:MOST_NOTES]],
        "notes_left": len(values.notes) - MOST_NOTES,
    }


def _split_note(split: SplitRecord) -> str:
    notes = {
        "random": "The rows were split at random",
        "ordered": "The rows were split by their order in the file",
        "files": "The splits were given as files",
    }
    note = notes.get(split.kind, "")
    if split.kind == "random" and split.unit:
        note += f"; rows that belong together ({split.unit}) stay in one split"
    return note + "." if note else ""


def _checks(record: RunRecord) -> list[tuple[str, int, str]]:
    """Return the checks of the data line by line: what was checked, how many were found, and a note."""
    values, page = record.data, task_page(record)
    duplicates, shared = values.duplicates, values.shared_with_training
    rows = row_numbers(duplicates.rows)
    equal = "Equal except for case, punctuation and word order." + (f" Rows {rows}." if rows else "")
    checks = [(f"{page.item.capitalize()}s that repeat an earlier one", duplicates.exact, equal)]
    if page.gold:
        checks.append((f"Of these, with contradicting {page.gold}", duplicates.conflicting_scores, ""))
        checks.append(("Second texts that recur in several groups", values.recurring_text_2, ""))
    length = page.length_note.format(count(values.truncated.max_length, "token"))
    checks.append(("Texts cut to the maximum length", values.truncated.texts, length))
    if shared:
        checks.append(("Test texts that are also in train or validation", shared.texts, ""))
    if shared and shared.groups is not None:
        checks.append(("Test groups that are also in train or validation", shared.groups, ""))
    contaminated = values.contaminated
    note = "These make the scores look better than they are." if contaminated else ""
    checks.append((f"Test {page.item}s in the training data", contaminated, note))
    if values.left_out_of_test:
        rows = row_numbers(sorted(set[int]().union(*(each.rows for each in values.left_out_of_test))))
        left_out = f"Their texts were learned from. Rows {rows}; data.json lists them."
        checks.append((f"Test {page.item}s left out of the verdict", values.seen_in_training, left_out))
    if values.validation_in_training:
        rows = row_numbers(values.validation_in_training_rows)
        checks.append(("Validation examples in the training data", values.validation_in_training, f"Rows {rows}."))
    return checks


def settings(record: RunRecord) -> dict[str, Any]:
    """Return the recipe section by section, and the versions and hashes that name the run."""
    tables = {"": {name: value for name, value in record.recipe.items() if not isinstance(value, Mapping)}}
    tables |= {name: value for name, value in record.recipe.items() if isinstance(value, Mapping)}
    return {
        "tables": [
            (name, [(key, _as_text(value)) for key, value in table.items()]) for name, table in tables.items() if table
        ],
        "facts": _facts(record),
    }


def _as_text(value: Any) -> str:
    """Return a setting as TOML would write it, without the quotation marks."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return shorten(", ".join(_as_text(item) for item in cast(list[Any], value)), LONGEST_VALUE)
    return shorten(value, LONGEST_VALUE)


def _facts(record: RunRecord) -> list[tuple[str, str]]:
    run, checkpoint, test_set = record.run, record.checkpoint, record.scores.test_set
    facts: dict[str, Any] = {
        "Homeground": run.get("homeground"),
        "checkpoint": checkpoint.name,
        "checkpoint revision": checkpoint.revision,
        "checkpoint sha256": checkpoint.sha256,
        "test set sha256": test_set.hash,
        "verdicts on this test set": test_set.verdict_number if test_set.hash else None,
        "interval": record.scores.difference.method,
        "started": run.get("started"),
        "finished": run.get("finished"),
    }
    return [(name, shorten(value, LONGEST_VALUE)) for name, value in facts.items() if value not in (None, "")]


def reading(record: RunRecord) -> dict[str, Any]:
    """Return the facts of this run that the explanations mention."""
    scores, page = record.scores, task_page(record)
    margin = record.setting("evaluation", "general_margin")
    return {
        "fewest": MIN_UNITS,
        "draws": record.setting("evaluation", "bootstrap_draws"),
        "margin": scores.general.margin if scores.general else page.margin if margin is None else margin,
        "gold": [noun for part, noun in GOLD.items() if part in record.data.columns],
    }
