"""A taxonomy: concepts with their names in a tree, and how close two of them are in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from homeground.data.units import text_key
from homeground.errors import DataError

Parents = Sequence[tuple[int, ...]]

MAX_NAMESAKE_ANCESTORS = 200
"""Nodes above the concepts of one text; where two texts have more each, they are not compared but taken for close."""


@dataclass(frozen=True, slots=True)
class Concept:
    """One concept: its title, its other names, its description, and the number of its node in the tree.

    ``keys`` are the ``text_key`` of the title and then of every alternative, no two of them equal, and
    ``description_key`` that of the description, empty where there is none.
    """

    title: str
    alternatives: tuple[str, ...]
    description: str
    node: int
    keys: tuple[str, ...]
    description_key: str

    def without(self, keys: set[str]) -> Concept:
        """Return the concept without the alternatives of these keys, and without a description of one of them."""
        kept = [(name, key) for name, key in zip(self.alternatives, self.keys[1:], strict=True) if key not in keys]
        is_described = self.description_key not in keys
        return Concept(
            title=self.title,
            alternatives=tuple(name for name, _ in kept),
            description=self.description if is_described else "",
            node=self.node,
            keys=(self.keys[0], *(key for _, key in kept)),
            description_key=self.description_key if is_described else "",
        )

    def shares_a_name(self, other: Concept) -> bool:
        """Tell whether both have a name in common: then nothing says that they are not the same."""
        return not set(self.keys).isdisjoint(other.keys)


def make_concept(title: str, alternatives: Sequence[str], description: str, node: int) -> Concept:
    """Return a concept; alternatives that read like its title or like one before them are left out."""
    names = {text_key(title): title}
    for name in alternatives:
        if name.strip():
            names.setdefault(text_key(name), name.strip())
    text = description.strip()
    return Concept(title, tuple(names.values())[1:], text, node, tuple(names), text_key(text))


@dataclass(frozen=True)
class Taxonomy:
    """Concepts and the tree they are in; every branch is at depth 1, below a root that is nothing itself.

    ``names (nodes,)`` are for people. ``parents (nodes,)`` numbers the nodes directly above a node, none above a
    branch; the first is its parent in the tree, the deepest of them, and the others count where two concepts are
    compared. ``depths (nodes,)`` counts the nodes from the branch down to the node on the longest way. ``notes`` are
    remarks on the files, a sentence each.
    """

    concepts: tuple[Concept, ...]
    names: tuple[str, ...]
    parents: tuple[tuple[int, ...], ...]
    depths: tuple[int, ...]
    notes: tuple[str, ...] = ()

    def way(self, node: int) -> list[int]:
        """Return the nodes from the branch down to ``node`` in the tree."""
        way = [node]
        while self.parents[way[-1]]:
            way.append(self.parents[way[-1]][0])
        return way[::-1]

    def branch(self, node: int) -> int:
        """Return the branch of the tree that a node is in."""
        while self.parents[node]:
            node = self.parents[node][0]
        return node

    def unit(self, node: int, depth: int) -> int:
        """Return the node above ``node`` at a depth, or the node itself where it is no deeper."""
        while self.depths[node] > depth and self.parents[node]:
            node = self.parents[node][0]
        return node

    def common_depth(self, one: int, two: int) -> int:
        """Return the depth of the deepest node above both or one of both, 0 where they have nothing in common."""
        while one != two:
            if self.depths[one] < self.depths[two]:
                one, two = two, one
            # The deeper of two nodes is not above the other; so with one parent they have in common what this one has.
            above = self.parents[one]
            if len(above) == 1:
                one = above[0]
            elif above:
                ancestors = self._ancestors(one)
                return max((self.depths[node] for node in self._ancestors(two) if node in ancestors), default=0)
            else:
                return 0
        return self.depths[one]

    def closeness(self, one: int, two: int) -> float:
        """Return how close two nodes are, in [0, 1]: ``2 * depth(common) / (depth(one) + depth(two))``.

        0 in different branches, 1 for the same node (Wu and Palmer 1994, with the root at depth 0).
        """
        return 2 * self.common_depth(one, two) / (self.depths[one] + self.depths[two])

    def have_closer_namesakes(self, one: Concept, two: Concept, key: str) -> bool:
        """Tell whether a title of ``one`` and a text of ``two`` also belong to concepts closer to each other.

        ``key`` is that of the text. Exact unless both texts belong to very many concepts
        (``MAX_NAMESAKE_ANCESTORS``): then True.
        """
        if one.keys[0] not in self._nodes_of_shared and key not in self._nodes_of_shared:
            return False
        few, many = sorted((self._reach(one.keys[0], one.node), self._reach(key, two.node)), key=len)
        if len(few) > MAX_NAMESAKE_ANCESTORS:
            return True
        # The closest two of their concepts are the shallowest ones below some node that is above both.
        closeness = self.closeness(one.node, two.node)
        return any(2 * self.depths[node] / (few[node] + many[node]) > closeness for node in few if node in many)

    def _reach(self, key: str, node: int) -> Mapping[int, int]:
        """Return the nodes above all concepts of a text, each with the least depth of the concepts below it.

        ``node`` is that of the only concept of a text that no other shares.
        """
        if key in self._reaches:
            return self._reaches[key]
        reach: dict[int, int] = {}
        for holder in self._nodes_of_shared.get(key, (node,)):
            for above in self._ancestors(holder):
                reach[above] = min(reach.get(above, self.depths[holder]), self.depths[holder])
        if key in self._nodes_of_shared:
            self._reaches[key] = reach
        return reach

    @cached_property
    def _reaches(self) -> dict[str, dict[int, int]]:
        return {}

    @cached_property
    def _nodes_of_shared(self) -> Mapping[str, Sequence[int]]:
        """The nodes of every text that names or describes several concepts."""
        first: dict[str, int] = {}
        shared: dict[str, list[int]] = {}
        for concept in self.concepts:
            for key in {*concept.keys, concept.description_key} - {""}:
                node = first.setdefault(key, concept.node)
                if node != concept.node:
                    shared.setdefault(key, [node]).append(concept.node)
        return shared

    def _ancestors(self, node: int) -> set[int]:
        """Return a node and all nodes above it, through any of its parents."""
        ancestors = {node}
        waiting = [node]
        while waiting:
            new = [parent for parent in self.parents[waiting.pop()] if parent not in ancestors]
            ancestors.update(new)
            waiting.extend(new)
        return ancestors

    @cached_property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """``(nodes,)`` pairs of numbers: a node's place in a depth-first walk, and the place after its last descendant.

        So a node is below another exactly where its place is in the other's span.
        """
        children: list[list[int]] = [[] for _ in self.parents]
        roots: list[int] = []
        for node, parents in enumerate(self.parents):
            (children[parents[0]] if parents else roots).append(node)
        first, after = [0] * len(self.parents), [0] * len(self.parents)
        place = 0
        waiting = roots[::-1]
        while waiting:
            node = waiting.pop()
            if node < 0:
                after[~node] = place
                continue
            first[node] = place
            place += 1
            # The complement of a number marks the moment when all below that node were visited.
            waiting += [~node, *reversed(children[node])]
        return tuple(zip(first, after, strict=True))


def grow(
    concepts: Sequence[Concept],
    names: Sequence[str],
    parents: Parents,
    *,
    branch_depth: int = 1,
    circle: Callable[[list[int]], DataError],
    notes: Sequence[str] = (),
) -> Taxonomy:
    """Return the taxonomy of nodes and the parents of each of them.

    ``branch_depth`` is the depth of the branches; nodes above them, such as a root, are left out, and so is a
    description that several concepts have, which describes none of them.

    Raises:
        DataError: that of ``circle``, which is given nodes each of which is above the next, the last above the first;
            or no concept is as deep as ``branch_depth``.
    """
    depths = _depths(parents, circle)
    lifted = tuple(depth - branch_depth + 1 for depth in depths)
    ordered = tuple(
        tuple(sorted((parent for parent in above if lifted[parent] > 0), key=lambda parent: -lifted[parent]))
        for above in parents
    )
    kept = tuple(concept for concept in concepts if lifted[concept.node] > 0)
    if not kept:
        deepest = max(depths, default=0)
        raise DataError(f"no concept stands at depth {branch_depth} or below, the deepest at {deepest}; lower it")
    remarks = [*notes]
    if len(kept) < len(concepts):
        remarks.append(f"{len(concepts) - len(kept)} concepts stand above the branches and are left out")
    described = Counter(concept.description_key for concept in kept if concept.description)
    if vague := {key for key, count in described.items() if count > 1}:
        kept = tuple(
            replace(concept, description="", description_key="") if concept.description_key in vague else concept
            for concept in kept
        )
        count = sum(described[key] for key in vague)
        remarks.append(f"{count} descriptions are left out, because several concepts have the same")
    if several := sum(len(above) > 1 for above in ordered):
        remarks.append(f"{several} nodes stand below several others; for the tree the deepest of these counts")
    return Taxonomy(kept, tuple(names), ordered, lifted, tuple(remarks))


def _depths(parents: Parents, circle: Callable[[list[int]], DataError]) -> list[int]:
    """Return the length of the longest way down to every node, 1 for a node without parents.

    A depth-first search without recursion: ``way`` are nodes whose depth waits for that of the next one on it.
    """
    depths = [0] * len(parents)
    for start in range(len(parents)):
        way = [] if depths[start] else [start]
        on_way = set(way)
        while way:
            node = way[-1]
            above = next((parent for parent in parents[node] if not depths[parent]), None)
            if above is None:
                depths[node] = 1 + max((depths[parent] for parent in parents[node]), default=0)
                on_way.discard(way.pop())
            elif above in on_way:
                raise circle(way[way.index(above) :][::-1])
            else:
                way.append(above)
                on_way.add(above)
    return depths


def homonyms(concepts: Sequence[Concept]) -> Iterator[str]:
    """Yield every name that several concepts have, as the second of them writes it."""
    is_yielded: dict[str, bool] = {}
    for concept in concepts:
        for name, key in zip((concept.title, *concept.alternatives), concept.keys, strict=True):
            if is_yielded.get(key) is False:
                yield name
            is_yielded[key] = key in is_yielded
