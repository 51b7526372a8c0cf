"""docs/scores.md describes every field of the files as the models do that read and write them."""

from __future__ import annotations

import re

from docs.fields import DOCUMENT, with_tables

from homeground.results.parts import Record

TEXT = DOCUMENT.read_text(encoding="utf-8")


def test_the_tables_of_fields_are_up_to_date() -> None:
    assert with_tables(TEXT) == TEXT, "run python -m docs.fields"


def test_a_table_that_was_changed_by_hand_is_made_anew() -> None:
    assert with_tables(TEXT.replace("| `value` | number or null |", "| `value` | text |")) == TEXT


def test_every_model_has_one_table_and_every_link_leads_to_one() -> None:
    headings = re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)
    anchors = [re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings]
    assert len(anchors) == len(set(anchors))
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= set(anchors)


def test_every_field_has_a_description() -> None:
    def models(model: type[Record]) -> list[type[Record]]:
        return [model, *(each for child in model.__subclasses__() for each in models(child))]

    fields = [
        (model, name) for model in models(Record) for name, field in model.model_fields.items() if not field.description
    ]
    assert not fields
