"""A taxonomy is read: from the files of ESCO as published, or from any table with the places of its concepts.

The place of a concept is a path, a parent (in the same table, or in a table of relations), a group and a branch, or the
code of an ISCO group, whose digits are its path.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike

from homeground.data.columns import CONCEPT_NAMES, find_columns
from homeground.data.tables import Row, Table, read_table, shown, text
from homeground.data.units import text_key
from homeground.errors import DataError, UsageError, nearest
from homeground.taxonomy.taxonomy import Concept, Taxonomy, grow, make_concept
from homeground.wording import count

ISCO_DIGITS = 4
"""Digits of an ISCO unit group, the first of them its branch; spreadsheets drop those that are leading zeros."""

MAX_IDS_COMPARED = 5000
"""Ids that an unknown one is compared with for the error message; comparing is slow."""

Path = tuple[str, ...]


@dataclass(frozen=True)
class TaxonomyLayout:
    """How a taxonomy's table is written.

    ``columns`` maps roles of ``CONCEPT_NAMES`` to columns with other names. ``between_names`` separates the
    alternatives of a concept (None: line ends and ``|``), ``between_steps`` those of a path. Branches are at
    ``branch_depth``.
    """

    columns: Mapping[str, str] = field(default_factory=dict[str, str])
    delimiter: str | None = None
    encoding: str = "utf-8"
    between_names: str | None = None
    between_steps: str = ">"
    branch_depth: int = 1


def read_taxonomy(
    path: str | PathLike[str],
    *,
    groups: str | PathLike[str] | None = None,
    relations: str | PathLike[str] | None = None,
    layout: TaxonomyLayout | None = None,
) -> Taxonomy:
    """Return the taxonomy of a table, every row of it a concept.

    ``groups`` is a table of nodes above the concepts, which give no pairs themselves, ``relations`` one of child and
    parent. With ISCO codes ``groups`` proves the codes and names them.

    Raises:
        DataError: a column is missing, an id comes twice, a parent is unknown, parents go round in a circle, or a row
            has no title or no place.
    """
    layout = layout or TaxonomyLayout()
    table = _read(path, layout)
    above = None if groups is None else _read(groups, layout, named=False)
    columns = concept_columns(table, layout.columns)
    if relations is not None:
        return _by_parents(table, columns, layout, above, _read(relations, layout, named=False))
    if "parent" in columns:
        return _by_parents(table, columns, layout, above, None)
    if "path" not in columns and columns.get("group", "").lower() == "iscogroup":
        return _by_isco(table, columns, layout, above)
    if above is not None:
        raise UsageError("--groups goes with a column of parents, with --relations, or with a column iscoGroup")
    if "path" in columns:
        return _by_paths(table, columns, layout)
    if "group" in columns:
        return _by_groups(table, columns, layout)
    listed = ", ".join(f'"{column}"' for column in table.columns)
    raise DataError.at(
        table.path,
        f"no column says where a concept stands; the columns are {listed}; name one with --parent, --path or --group",
    )


def concept_columns(table: Table, named: Mapping[str, str]) -> dict[str, str]:
    """Return which column plays which role of a concept: the named ones first, the rest by their usual names."""
    return find_columns(table, CONCEPT_NAMES, named, usual=CONCEPT_NAMES)


def _read(path: str | PathLike[str], layout: TaxonomyLayout, *, named: bool = True) -> Table:
    return read_table(path, delimiter=layout.delimiter if named else None, encoding=layout.encoding)


def _required(table: Table, columns: Mapping[str, str], part: str) -> str:
    if part not in columns:
        usual = ", ".join(f'"{name}"' for name in CONCEPT_NAMES[part])
        listed = ", ".join(f'"{column}"' for column in table.columns)
        raise DataError.at(table.path, f"no column is called {usual}; the columns are {listed}; name it with --{part}")
    return columns[part]


def _filled(table: Table, row: Row, column: str, expected: str) -> str:
    value = text(table, row, column).strip()
    if not value:
        raise DataError.at(table.path, f"holds nothing; expected {expected}", row=row.number, column=column)
    return value


def _concept(
    table: Table, row: Row, columns: Mapping[str, str], layout: TaxonomyLayout, title: str, node: int
) -> Concept:
    alternatives = text(table, row, columns["alternatives"]) if "alternatives" in columns else ""
    between = r"[\r\n|]+" if layout.between_names is None else re.escape(layout.between_names)
    description = text(table, row, columns["description"]) if "description" in columns else ""
    return make_concept(title, re.split(between, alternatives), description, node)


def _by_paths(table: Table, columns: Mapping[str, str], layout: TaxonomyLayout) -> Taxonomy:
    """Read paths; the last step is the concept itself unless a column gives it another title."""
    column = columns["path"]
    rows: list[tuple[Path, str]] = []
    for row in table.rows:
        written = _filled(table, row, column, f'steps such as "Health {layout.between_steps} Nursing"')
        steps = tuple(step.strip() for step in written.split(layout.between_steps))
        if not all(steps):
            problem = f"holds {shown(written)}, in which a step is empty; expected a name for every step"
            raise DataError.at(table.path, problem, row=row.number, column=column)
        title = _filled(table, row, columns["label"], "the name of a concept") if "label" in columns else steps[-1]
        is_last_step = text_key(title) == text_key(steps[-1])
        rows.append((steps if is_last_step else (*steps, title), title))
    return _from_paths(table, columns, layout, rows)


def _by_groups(table: Table, columns: Mapping[str, str], layout: TaxonomyLayout) -> Taxonomy:
    label = _required(table, columns, "label")
    rows: list[tuple[Path, str]] = []
    for row in table.rows:
        title = _filled(table, row, label, "the name of a concept")
        above = [columns[part] for part in ("branch", "group") if part in columns]
        rows.append(((*(_filled(table, row, column, "a name") for column in above), title), title))
    return _from_paths(table, columns, layout, rows)


def _by_isco(table: Table, columns: Mapping[str, str], layout: TaxonomyLayout, groups: Table | None) -> Taxonomy:
    """Read ESCO's occupations: the digits of the ISCO group, the occupations above by their codes, the occupation."""
    label, group, code = _required(table, columns, "label"), columns["group"], _code_column(table)
    names, short = (None, 0) if groups is None else _isco_names(groups)
    codes = [text(table, row, code).strip() if code else "" for row in table.rows]
    times = Counter(codes)
    rows: list[tuple[Path, str]] = []
    for row, code_of_row in zip(table.rows, codes, strict=True):
        written = _filled(table, row, group, "the code of an ISCO group")
        isco = written.zfill(ISCO_DIGITS)
        short += isco != written
        if not re.fullmatch("[0-9]{4}", isco) or (names is not None and isco not in names):
            expected = f"the code of an ISCO group of {ISCO_DIGITS} digits"
            problem = f"holds {shown(written)}; expected {expected}{f', one of {groups.path}' if groups else ''}"
            raise DataError.at(table.path, problem, row=row.number, column=group)
        title = _filled(table, row, label, "the name of a concept")
        rows.append(((*(isco[:digits] for digits in range(1, 5)), *_occupations(code_of_row, times, row)), title))
    notes: list[str] = []
    if short:
        notes.append(f"{short} ISCO codes have lost leading zeros, which were put back (110 is read as 0110)")
    if twice := sum(count > 1 and "." in name for name, count in times.items()):
        notes.append(f"{twice} occupation codes stand more than once; what they name stands directly in its ISCO group")
    # Codes that have lost zeros are no ids; the uris are.
    others = {part: column for part, column in columns.items() if (part, column) != ("id", code)}
    return _from_paths(table, others, layout, rows, names=names or {}, notes=notes)


def _occupations(code: str, times: Mapping[str, int], row: Row) -> Path:
    """Return the codes of the occupations above one, and its own.

    A code that occurs twice has lost its last zero in a spreadsheet (7412.1 for 7412.10) and names nothing.
    """
    steps = code.split(".")
    above = [".".join(steps[:length]) for length in range(2, len(steps))]
    last = code if times[code] == 1 and "." in code else f"{code} in row {row.number}"
    return (*(name for name in above if times[name] == 1), last)


def _code_column(table: Table) -> str | None:
    return next((column for column in table.columns if column.strip().lower() == "code"), None)


def _isco_names(groups: Table) -> tuple[dict[str, str], int]:
    """Return the names of ISCO groups by their codes, and how many unit groups have lost their leading zero.

    These are the codes of three digits that no code of four begins with: 110 is 0110, while 251 is above 2511. A code
    that occurs twice (11, one of which was 011) names nothing.
    """
    columns = concept_columns(groups, {})
    code = _code_column(groups)
    if code is None:
        raise DataError.at(groups.path, 'has no column "code", by which occupations name their ISCO groups')
    label = _required(groups, columns, "label")
    written = [text(groups, row, code).strip() for row in groups.rows]
    above = {each[:-1] for each in written if len(each) == ISCO_DIGITS}
    is_short = [len(each) == ISCO_DIGITS - 1 and each not in above for each in written]
    codes = [each.zfill(ISCO_DIGITS) if short else each for each, short in zip(written, is_short, strict=True)]
    times = Counter(codes)
    titles = (text(groups, row, label) for row in groups.rows)
    names = {each: f"{each} {title}" if times[each] == 1 else each for each, title in zip(codes, titles, strict=True)}
    return names, sum(is_short)


def _from_paths(
    table: Table,
    columns: Mapping[str, str],
    layout: TaxonomyLayout,
    rows: Sequence[tuple[Path, str]],
    *,
    names: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
) -> Taxonomy:
    """Return the taxonomy of one path and title a row; a path ends with the concept's own step."""
    _refuse_twins(table, columns.get("id"))
    nodes: dict[Path, int] = {}
    parents: list[tuple[int, ...]] = []
    owners: dict[int, int] = {}
    concepts: list[Concept] = []
    for row, (path, title) in zip(table.rows, rows, strict=True):
        for length in range(1, len(path) + 1):
            if path[:length] not in nodes:
                nodes[path[:length]] = len(parents)
                parents.append((nodes[path[: length - 1]],) if length > 1 else ())
        node = nodes[path]
        if node in owners:
            place = " > ".join(path)
            problem = f"{shown(place)} stands already in row {owners[node]}; expected every concept once"
            raise DataError.at(table.path, problem, row=row.number)
        owners[node] = row.number
        concepts.append(_concept(table, row, columns, layout, title, node))
    times = Counter(path[-1] for path in nodes)
    by_step = names or {}
    titles = [by_step.get(path[-1], path[-1] if times[path[-1]] == 1 else " > ".join(path)) for path in nodes]
    return grow(
        concepts, titles, parents, branch_depth=layout.branch_depth, circle=lambda _: DataError("a path"), notes=notes
    )


def _refuse_twins(table: Table, column: str | None) -> None:
    first: dict[str, int] = {}
    for row in table.rows if column else ():
        name = text(table, row, column or "").strip()
        if name in first:
            problem = f"holds {shown(name)}, as row {first[name]} does; expected every id once"
            raise DataError.at(table.path, problem, row=row.number, column=column)
        first[name] = row.number


def _by_parents(
    table: Table, columns: Mapping[str, str], layout: TaxonomyLayout, groups: Table | None, relations: Table | None
) -> Taxonomy:
    """Read ids and parents; without a column of ids a concept is named by its label."""
    label = _required(table, columns, "label")
    nodes = _Nodes()
    nodes.add(table, columns.get("id", label), label)
    tables = [(table, columns)]
    if groups is not None:
        parts = concept_columns(groups, {})
        label_of_group = _required(groups, parts, "label")
        nodes.add(groups, parts.get("id", label_of_group), label_of_group)
        tables.append((groups, parts))
    if relations is not None:
        notes = nodes.relate(relations)
    else:
        notes = []
        for each, parts in tables:
            if "parent" in parts:
                nodes.point(each, parts["parent"])
    concepts = [
        _concept(table, row, columns, layout, _filled(table, row, label, "the name of a concept"), node)
        for node, row in enumerate(table.rows)
    ]
    parents = [tuple(dict.fromkeys(above)) for above in nodes.parents]
    times = Counter(nodes.names)
    names = [
        name if times[name] == 1 else f"{name} ({key})" for key, name in zip(nodes.places, nodes.names, strict=True)
    ]
    return grow(concepts, names, parents, branch_depth=layout.branch_depth, circle=nodes.circle, notes=notes)


class _Nodes:
    """Nodes by their ids, and the table, row and column of each, for the messages."""

    def __init__(self) -> None:
        self.places: dict[str, int] = {}
        self.names: list[str] = []
        self.parents: list[list[int]] = []
        self.origins: list[tuple[Table, Row, str]] = []

    def add(self, table: Table, id_column: str, label: str) -> None:
        """Add a node for every row of a table."""
        for row in table.rows:
            name = _filled(table, row, id_column, "the id of a concept")
            if name in self.places:
                other, first, _ = self.origins[self.places[name]]
                where = f"row {first.number}" if other is table else f"{other.path}, row {first.number}"
                problem = f"holds {shown(name)}, as {where} does; expected every id once"
                raise DataError.at(table.path, problem, row=row.number, column=id_column)
            self.places[name] = len(self.names)
            self.names.append(text(table, row, label).strip())
            self.parents.append([])
            self.origins.append((table, row, id_column))

    def point(self, table: Table, column: str) -> None:
        """Take the parents of every row from a column, in which several ids are separated by ``|``."""
        node_of_row = {id(row): node for node, (_, row, _) in enumerate(self.origins)}
        for row in table.rows:
            written = text(table, row, column).strip()
            several = [written] if written in self.places else [part.strip() for part in written.split("|")]
            node = node_of_row[id(row)]
            self.origins[node] = (table, row, column)
            self.parents[node] += [self._node(table, row, column, name) for name in several if name]

    def relate(self, table: Table) -> list[str]:
        """Take the parents from a table of children and parents; note how many of its rows name an unknown child."""
        columns = concept_columns(table, {})
        child = next((name for name in table.columns if name.strip().lower() in ("child", "child_id")), None)
        child = child or _required(table, columns, "id")
        parent = _required(table, columns, "parent")
        unknown = 0
        for row in table.rows:
            node = self.places.get(text(table, row, child).strip())
            if node is None:
                unknown += 1
                continue
            above = _filled(table, row, parent, "the id of what stands above")
            self.origins[node] = (table, row, parent)
            self.parents[node].append(self._node(table, row, parent, above))
        verb = "relates" if unknown == 1 else "relate"
        return [f"{count(unknown, 'row')} of {table.path} {verb} concepts that are in no other file"] if unknown else []

    def circle(self, nodes: list[int]) -> DataError:
        """Return the error for nodes each of which is above the next, and the last above the first."""
        ids = list(self.places)
        table, row, column = self.origins[nodes[0]]
        listed = [ids[node] for node in [*nodes, nodes[0]]]
        several = " > ".join([*listed[:6], "…"] if len(listed) > 7 else listed)
        problem = f"goes round in a circle: {several}; expected every way up to end at a branch"
        return DataError.at(table.path, problem, row=row.number, column=column)

    def _node(self, table: Table, row: Row, column: str, name: str) -> int:
        if name not in self.places:
            known_ids = nearest(name, itertools.islice(self.places, MAX_IDS_COMPARED))
            problem = f"holds {shown(name)}, which is the id of no concept; {known_ids}"
            raise DataError.at(table.path, problem, row=row.number, column=column)
        return self.places[name]
