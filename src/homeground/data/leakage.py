"""Texts that must not be learned from, as those of a later test: left out wherever they stand.

A text that is learned from holds one of them where it is the same text (by ``text_key``), or where the words of one
stand in it side by side.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from homeground.data.documents import with_texts
from homeground.data.examples import Examples, digest
from homeground.data.streams import open_rows

SHORTEST = 5
"""Words from which a text is looked for inside others too; fewer stand side by side by chance."""

WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")
"""A word or, in Chinese and Japanese, a character."""

Words = tuple[str, ...]


@dataclass(frozen=True)
class LeftOut:
    """The texts of a file that must not be learned from.

    ``whole`` are their hashes; ``inside`` maps the first ``SHORTEST`` words of a text to its words.
    """

    name: str
    sha256: str
    whole: frozenset[int]
    inside: Mapping[Words, frozenset[Words]]

    def held_by(self, text: str) -> bool:
        """Tell whether a text is one of them, or holds one."""
        if digest([text]) in self.whole:
            return True
        words = _words(text)
        return any(
            words[place : place + len(known)] == known
            for place in range(len(words) - SHORTEST + 1)
            for known in self.inside.get(words[place : place + SHORTEST], ())
        )

    def out_of(self, read: Examples) -> Examples:
        """Return the examples of a file without those that hold one of the texts, which are set aside."""
        held = [example.row for example, texts in with_texts(read.examples) if any(map(self.held_by, texts))]
        if not held:
            return read
        rows = set(held)
        kept = [example for example in read.examples if example.row not in rows]
        return Examples(kept, {**read.set_aside, f"a text of {self.name}": held})


def read_left_out(path: str) -> LeftOut:
    """Return the texts in all columns of a file, of which a field of fewer than 5 words only matches as a whole.

    Raises:
        DataError: the file cannot be read.
    """
    table = open_rows(path)
    whole: set[int] = set()
    inside: defaultdict[Words, set[Words]] = defaultdict(set)
    for row in table.rows:
        for text in row.values.values():
            if isinstance(text, str) and text.strip():
                whole.add(digest([text]))
                words = _words(text)
                if len(words) >= SHORTEST:
                    inside[words[:SHORTEST]].add(words)
    found = {first: frozenset(known) for first, known in inside.items()}
    return LeftOut(Path(path).name, table.sha256, frozenset(whole), found)


def _words(text: str) -> Words:
    """Return the words of a text in one form, whatever its case, width, spacing and punctuation.

    >>> _words("Don't  PANIC, 你好!")
    ('don', 't', 'panic', '你', '好')
    """
    return tuple(WORD.findall(unicodedata.normalize("NFKC", text).casefold()))
