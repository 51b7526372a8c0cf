"""Schemes of tags: which one a file follows, the entities that its tags mark, and where tags break its rules.

Prefixes say where in an entity a word is: B begins, I or M is inside, E or L ends it, S, U or W is an entity of one
word. Sequences that the scheme does not allow are read as conlleval reads them: what cannot go on begins anew.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from homeground.errors import HomegroundError

OUTSIDE = "O"

ONLY_TYPE = "entity"
"""The type of all entities where tags are B, I and O without any type."""

SCHEMES: dict[str, dict[str, str]] = {
    "IO": {"I": "I"},
    "BIO": {"B": "B", "I": "I"},
    "IOE": {"I": "I", "E": "E"},
    "BIOES": {"B": "B", "I": "I", "E": "E", "S": "S"},
    "BILOU": {"B": "B", "I": "I", "L": "E", "U": "S"},
    "BMES": {"B": "B", "M": "I", "E": "E", "S": "S"},
    "BMEWO": {"B": "B", "M": "I", "E": "E", "W": "S"},
}
"""Prefix → what it says (B, I, E or S), by the name of the scheme; IOB1 has the prefixes of BIO."""

MAX_SHARE_ILLEGAL = 0.5
"""Share of the boundaries of entities that may break the rules of the scheme that the prefixes name."""

_PREFIXED = re.compile(r"([BIESLUMW])([-_])(\S.*)")
_LOOKS_PREFIXED = re.compile(r"[A-Za-z][-_].*|.+[-_][BIESLUMW]")

Role = tuple[str, str]
"""What a tag says of its word: O, B, I, E or S, and the type, "" outside."""

Transition = tuple[str | None, str | None]
"""Two tags that follow each other, None at the ends of a sentence."""


class TagProblem(HomegroundError):
    """A tag that no scheme allows; ``tag`` is what the caller finds the place of."""

    def __init__(self, tag: str, problem: str) -> None:
        super().__init__(problem)
        self.tag = tag


@dataclass(frozen=True)
class Scheme:
    """How the tags of a file mark entities: the ``name`` of the scheme, and what each tag says."""

    name: str
    roles: Mapping[str, Role]

    def entities(self, tags: Sequence[str]) -> list[tuple[int, int, str]]:
        """Return the entities of a sentence as ``(first word, word after the last, type)``, as conlleval finds them."""
        found: list[tuple[int, int, str]] = []
        start = 0
        roles = [self.roles[tag] for tag in tags]
        for place, (before, here) in enumerate(pairwise([_NOTHING, *roles, _NOTHING])):
            if before != _NOTHING and _ends(before, here):
                found.append((start, place, before[1]))
            if here != _NOTHING and _begins(before, here):
                start = place
        return found

    def illegal(self, tags: Sequence[str]) -> list[int]:
        """Return the places of the tags that may not follow the one before, ``len(tags)`` for the end of a sentence."""
        allowed = self._allowed
        pairs = list(transitions(tags))
        allowed |= {each: self.allows(each) for each in set(pairs) if each not in allowed}
        return [place for place, each in enumerate(pairs) if not allowed[each]]

    @cached_property
    def _allowed(self) -> dict[Transition, bool]:
        """Which transitions are allowed, of those that were asked for."""
        return {}

    def allows(self, transition: Transition) -> bool:
        """Tell whether one tag may follow the other."""
        before, here = (_NOTHING if tag is None else self.roles[tag] for tag in transition)
        same = before[1] == here[1]
        if self.name in ("IO", "IOE"):
            return True
        if self.name == "IOB1":
            return here[0] != "B" or (before[0] in "BI" and same)
        is_open = before[0] in ("B", "I")
        if self.name == "BIO":
            return here[0] != "I" or (is_open and same)
        return (is_open and same) if here[0] in ("I", "E") else not is_open


_NOTHING: Role = (OUTSIDE, "")


def _ends(before: Role, here: Role) -> bool:
    return before[0] in "ES" or here[0] in "BSO" or before[1] != here[1]


def _begins(before: Role, here: Role) -> bool:
    return here[0] in "BS" or before[0] in "ESO" or before[1] != here[1]


def transitions(tags: Sequence[str]) -> Iterable[Transition]:
    """Return the pairs of neighbours of a sentence's tags, its beginning and end included."""
    return pairwise([None, *tags, None])


def are_tags(tags: Iterable[str]) -> bool:
    """Tell whether words may be the tags of entities: one is O, or one has a prefix that only tags have."""
    return any(tag == OUTSIDE or _PREFIXED.fullmatch(tag) for tag in tags)


def recognise(counts: Counter[Transition]) -> Scheme:
    """Return the scheme that tags follow, of how often each pair of neighbours occurs.

    Raises:
        TagProblem: one of the tags is of no scheme, or of another scheme than the rest.
    """
    tags = Counter[str]()
    for (_, here), number in counts.items():
        if here is not None:
            tags[here] += number
    marked = Counter({tag: number for tag, number in tags.items() if tag != OUTSIDE})
    outside = {OUTSIDE: _NOTHING}
    if not marked:
        return Scheme("IO", outside)
    if set(marked) <= set("BIESLUMW") and set(marked) & {"B", "I"}:
        return _by_rules(counts, {tag: (tag, ONLY_TYPE) for tag in marked}, marked)
    prefixed = {tag: match for tag in marked if (match := _PREFIXED.fullmatch(tag))}
    if 2 * sum(marked[tag] for tag in prefixed) < marked.total():
        return Scheme("IO", outside | {tag: ("I", _plain_type(tag, marked)) for tag in marked})
    separators = Counter[str]()
    for tag, match in prefixed.items():
        separators[match[2]] += marked[tag]
    separator = separators.most_common(1)[0][0]
    for tag in marked:
        if tag not in prefixed or prefixed[tag][2] != separator:
            known = ", ".join(sorted({f"{match[1]}{separator}TYPE" for match in prefixed.values()}))
            raise TagProblem(tag, f'the tag "{tag}" is of no scheme; expected O or one of {known}, as the other tags')
    return _by_rules(counts, {tag: (match[1], match[3]) for tag, match in prefixed.items()}, marked)


def _plain_type(tag: str, tags: Counter[str]) -> str:
    """Return the type that a tag without prefix names."""
    alike = [each for each in tags if _LOOKS_PREFIXED.fullmatch(each)]
    if tag in alike and 2 * len(alike) >= len(tags):
        expected = "O, B-TYPE, I-TYPE (BIO), also with E, S (BIOES), M, E, S (BMES) or L, U (BILOU) before a type"
        raise TagProblem(tag, f'the tag "{tag}" is of no scheme; expected {expected}, or plain names of types')
    return tag


def _by_rules(counts: Counter[Transition], parts: Mapping[str, tuple[str, str]], marked: Counter[str]) -> Scheme:
    """Return the scheme of tags with these prefixes and types; of BIO and IOB1, which share them, the less broken."""
    prefixes = {tag: prefix for tag, (prefix, _) in parts.items()}
    seen = set(prefixes.values())
    name = next((name for name, known in SCHEMES.items() if seen <= set(known)), None)
    by_prefix = Counter[str]()
    for tag, prefix in prefixes.items():
        by_prefix[prefix] += marked[tag]
    if name is None:
        best = max(SCHEMES.values(), key=lambda known: sum(by_prefix[prefix] for prefix in known))
        tag = next(tag for tag, prefix in prefixes.items() if prefix not in best)
        raise TagProblem(tag, f'the tag "{tag}" is of another scheme than the rest; {_schemes(by_prefix)}')
    known = SCHEMES[name]
    roles = {OUTSIDE: _NOTHING} | {tag: (known[prefix], parts[tag][1]) for tag, prefix in prefixes.items()}
    schemes = [Scheme(each, roles) for each in ((name, "IOB1") if name == "BIO" else (name,))]
    broken = [sum(number for each, number in counts.items() if not scheme.allows(each)) for scheme in schemes]
    entities = sum(number for (_, here), number in counts.items() if here in prefixes and roles[here][0] in "BS")
    if name not in ("IO", "BIO", "IOE") and min(broken) > MAX_SHARE_ILLEGAL * max(entities, 1):
        rarest = min(prefixes, key=lambda tag: (by_prefix[prefixes[tag]], marked[tag]))
        problem = f'{min(broken)} of the tags break its rules, so the tag "{rarest}" may be of another scheme'
        raise TagProblem(rarest, f"the prefixes are those of {name}, but {problem}; {_schemes(by_prefix)}")
    return schemes[broken.index(min(broken))]


def _schemes(seen: Counter[str]) -> str:
    counted = ", ".join(f"{prefix}: {number}" for prefix, number in seen.most_common())
    known = "; ".join(f"{name}: {', '.join(prefixes)}" for name, prefixes in SCHEMES.items() if len(prefixes) > 1)
    return f"the file has the prefixes {counted}; expected the prefixes of one scheme ({known})"
