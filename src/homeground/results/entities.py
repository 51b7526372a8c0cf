"""What scores.json holds of entities: the kinds of errors, what is confused, and texts in which something changed."""

from __future__ import annotations

from homeground.results.parts import Record, field


class EntityErrors(Record):
    """How many entities are right, and how many errors of each kind there are."""

    right: int = field("predicted entities with the right first word, last word and type", 0)
    boundary: int = field("predicted with the right type and other ends", 0)
    type: int = field("predicted with the right ends and another type", 0)
    boundary_and_type: int = field("predicted with other ends and another type", 0)
    missed: int = field("in the data, and no predicted entity overlaps them", 0)
    spurious: int = field("predicted where the data has none", 0)


class ErrorsBothSides(Record):
    """The errors before and after."""

    before: EntityErrors = field("the checkpoint", EntityErrors())
    after: EntityErrors = field("the adapted model", EntityErrors())


class ConfusedEntity(Record):
    """A kind of error with its types."""

    gold: str | None = field("type in the data; null for a spurious entity", None)
    predicted: str | None = field("predicted type; null for a missed entity", None)
    kind: str = field("kind of error", "")
    before: int = field("how often before", 0)
    after: int = field("how often after", 0)


Marks = tuple[tuple[int, int, str], ...]


class ChangedText(Record):
    """A text with its entities, each as `[start, end, type]`, in characters."""

    row: int = field("row of the text in its file", 0)
    text: str = field("the text", "")
    gain: int = field("entities that became right, minus those that became wrong", 0)
    gold: Marks = field("entities in the data", ())
    before: Marks = field("predicted before", ())
    after: Marks = field("predicted after", ())


class EntitiesRecord(Record):
    """What is known of the entities besides the scores."""

    errors: ErrorsBothSides = field("number of errors of each kind", ErrorsBothSides())
    confusions: tuple[ConfusedEntity, ...] = field("the most frequent errors after adapting, at most 10", ())
    texts: tuple[ChangedText, ...] = field("the texts that gained and lost most, at most 6 of each", ())
