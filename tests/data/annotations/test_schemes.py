"""Schemes of tags: entities as conlleval finds them, rules that a legal sequence keeps, and schemes told apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities

from homeground.data.annotations.schemes import Scheme, TagProblem, Transition, recognise, transitions

Entity = tuple[int, int, str]


def scheme_of(sentences: Sequence[Sequence[str]]) -> Scheme:
    """Return the scheme of the tags of sentences."""
    return recognise(Counter[Transition](each for tags in sentences for each in transitions(tags)))


def roles_scheme(name: str, prefixes: str, roles: str, types: str = "XY") -> Scheme:
    """Return a scheme with all tags of these types."""
    tags = {f"{prefix}-{kind}": (role, kind) for prefix, role in zip(prefixes, roles, strict=True) for kind in types}
    return Scheme(name, {"O": ("O", "")} | tags)


SCHEMES = {
    "BIO": roles_scheme("BIO", "BI", "BI"),
    "IOB1": roles_scheme("IOB1", "BI", "BI"),
    "BIOES": roles_scheme("BIOES", "BIES", "BIES"),
    "BILOU": roles_scheme("BILOU", "BILU", "BIES"),
    "BMES": roles_scheme("BMES", "BMES", "BIES"),
}
AS_CONLLEVAL = {"L": "E", "U": "S", "M": "I"}


@pytest.mark.parametrize("name", SCHEMES)
@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_entities_are_those_of_conlleval_as_seqeval_finds_them(name: str, data: st.DataObject) -> None:
    tags = data.draw(st.lists(st.sampled_from(sorted(SCHEMES[name].roles)), max_size=8))
    plain = [AS_CONLLEVAL.get(tag[0], tag[0]) + tag[1:] if len(tag) > 1 else tag for tag in tags]
    expected = [(start, end + 1, kind) for kind, start, end in get_entities(plain)]
    assert SCHEMES[name].entities(tags) == expected


def write_bio(length: int, entities: Sequence[Entity]) -> list[str]:
    """Return the tags of entities in BIO."""
    tags = ["O"] * length
    for start, end, kind in entities:
        tags[start:end] = [f"B-{kind}", *[f"I-{kind}"] * (end - start - 1)]
    return tags


def write_iob1(length: int, entities: Sequence[Entity]) -> list[str]:
    """Return the tags of entities in IOB1, where B begins only what follows an entity of its type at once."""
    tags = ["O"] * length
    for start, end, kind in entities:
        follows = any((other_end, other) == (start, kind) for _, other_end, other in entities)
        tags[start:end] = [f"{'B' if follows else 'I'}-{kind}", *[f"I-{kind}"] * (end - start - 1)]
    return tags


def write_four(begin: str, inside: str, end_prefix: str, single: str) -> Callable[[int, Sequence[Entity]], list[str]]:
    """Return a writer of a scheme with four prefixes."""

    def write(length: int, entities: Sequence[Entity]) -> list[str]:
        tags = ["O"] * length
        for start, end, kind in entities:
            inner = [f"{inside}-{kind}"] * (end - start - 2)
            whole = [f"{begin}-{kind}", *inner, f"{end_prefix}-{kind}"]
            tags[start:end] = whole if end - start > 1 else [f"{single}-{kind}"]
        return tags

    return write


WRITERS = {
    "BIO": write_bio,
    "IOB1": write_iob1,
    "BIOES": write_four("B", "I", "E", "S"),
    "BILOU": write_four("B", "I", "L", "U"),
    "BMES": write_four("B", "M", "E", "S"),
}


@pytest.mark.parametrize("name", SCHEMES)
@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_tags_keep_the_rules_where_their_entities_are_written_so(name: str, data: st.DataObject) -> None:
    scheme = SCHEMES[name]
    tags = data.draw(st.lists(st.sampled_from(sorted(scheme.roles)), max_size=7))
    written = WRITERS[name](len(tags), scheme.entities(tags))
    assert (scheme.illegal(tags) == []) == (written == tags)


@pytest.mark.parametrize("name", WRITERS)
def test_a_scheme_is_recognised_from_its_tags(name: str) -> None:
    entities = [(0, 1, "X"), (1, 3, "X"), (4, 8, "Y"), (8, 9, "X")]
    scheme = scheme_of([WRITERS[name](10, entities)] * 3)
    assert scheme.name == name
    assert scheme.entities(WRITERS[name](10, entities)) == entities


OTHERS: dict[str, tuple[list[str], str, list[Entity]]] = {
    "types alone": (["PER", "PER", "O", "LOC"], "IO", [(0, 2, "PER"), (3, 4, "LOC")]),
    "inside alone": (["I-PER", "I-PER", "O", "I-LOC"], "IO", [(0, 2, "PER"), (3, 4, "LOC")]),
    "ends": (["I-X", "E-X", "E-X", "O"], "IOE", [(0, 2, "X"), (2, 3, "X")]),
    "no types": (["B", "I", "O", "B"], "BIO", [(0, 2, "entity"), (3, 4, "entity")]),
    "W for one word": (["B-X", "M-X", "E-X", "W-X"], "BMEWO", [(0, 3, "X"), (3, 4, "X")]),
    "types with a hyphen": (["B-creative-work", "I-creative-work"], "BIO", [(0, 2, "creative-work")]),
    "types in Chinese": (["B_人名", "I_人名", "O"], "BIO", [(0, 2, "人名")]),
    "a type like a prefix": (
        ["PER", "O", "E-MAIL", "LOC", "PER"],
        "IO",
        [(0, 1, "PER"), (2, 3, "E-MAIL"), (3, 4, "LOC")],
    ),
}


@pytest.mark.parametrize(("tags", "name", "entities"), OTHERS.values(), ids=OTHERS)
def test_other_ways_of_tagging_are_recognised(tags: list[str], name: str, entities: list[Entity]) -> None:
    scheme = scheme_of([tags])
    assert (scheme.name, scheme.entities(tags)[: len(entities)]) == (name, entities)


@pytest.mark.parametrize(
    ("tags", "tag"),
    [
        (["B-X", "I-X", "X-Y"], "X-Y"),
        (["B-X", "O", "B-"], "B-"),
        (["B-X", "I-X", "O", "B_X"], "B_X"),
        (["b-X", "i-X", "O"], "b-X"),
        (["X-B", "X-I", "O"], "X-B"),
        (["B-X", "I-X", "M-X", "I-X"], "M-X"),
        (["B-X", "I-X", "B-X", "I-X", "S-X", "B-X"], "S-X"),
    ],
)
def test_a_tag_of_no_scheme_or_another_one_is_named(tags: list[str], tag: str) -> None:
    with pytest.raises(TagProblem) as refused:
        scheme_of([tags])
    assert refused.value.tag == tag
    assert "expected" in str(refused.value)
