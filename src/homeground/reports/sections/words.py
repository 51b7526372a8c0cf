"""Masked words: sentences with a masked word, and the words whose loss changed most."""

from __future__ import annotations

from typing import Any

from homeground.results.record import RunRecord
from homeground.wording import shorten

LONGEST_TOKEN = 40
"""Characters of a token or word that are shown."""

LONGEST_SIDE = 300
"""Characters of a sentence that are shown before its masked word, and behind it."""


def blanks(record: RunRecord) -> dict[str, Any] | None:
    """Return the sentences with the words that each model predicts, or None where the run kept none."""
    if not record.scores.blanks:
        return None
    return {
        "rows": [
            {
                "blank": blank,
                "left": blank.left if len(blank.left) <= LONGEST_SIDE else "…" + blank.left[-LONGEST_SIDE:],
                "right": blank.right if len(blank.right) <= LONGEST_SIDE else blank.right[:LONGEST_SIDE] + "…",
                "word": shorten(blank.word, LONGEST_TOKEN),
                "sides": [
                    (
                        name,
                        [
                            (shorten(each.token, LONGEST_TOKEN), each.probability, _is(each.token, blank.word))
                            for each in side.likeliest
                        ],
                    )
                    for name, side in (("Before", blank.before), ("After", blank.after))
                ],
            }
            for blank in record.scores.blanks
        ]
    }


def _is(token: str, word: str) -> bool:
    return token.lower() == word.lower()


def improved_words(record: RunRecord) -> dict[str, Any] | None:
    """Return the words that improved most and those that became worse, or None where no word was measured."""
    words = record.scores.improved_words
    if words is None or not words.words:
        return None
    return {
        "lists": [
            (heading, tone, [(shorten(row.word, LONGEST_TOKEN), row) for row in rows])
            for heading, tone, rows in (("Better", "good", words.improved), ("Worse", "bad", words.worse))
        ]
    }
