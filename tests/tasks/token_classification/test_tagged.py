"""Marked spans become tags, and the baselines that need no pretrained model."""

from __future__ import annotations

import numpy as np
import pytest
from tests.tagging import tagged_texts

from homeground.data.annotations.annotated import AnnotatedText, Span
from homeground.tasks.token_classification.baselines import frequent_tags, linear_tags
from homeground.tasks.token_classification.tagged import TaggedText, tagged, types_in


def text(content: str, *spans: tuple[int, int, str], words: tuple[tuple[int, int], ...] | None = None) -> TaggedText:
    return tagged(AnnotatedText(1, content, tuple(Span(*span) for span in spans), words), None)


@pytest.mark.parametrize(
    ("content", "spans", "tags"),
    [
        ("Anna flew to Rome.", [(0, 4, "PER"), (13, 17, "LOC")], ["B-PER", "O", "O", "B-LOC", "O"]),
        ("New York-based", [(0, 8, "LOC")], ["B-LOC", "I-LOC", "O", "O"]),
        ("在北京和上海", [(1, 3, "LOC"), (4, 6, "LOC")], ["O", "B-LOC", "I-LOC", "O", "B-LOC", "I-LOC"]),
        ("a b", [(0, 1, "X"), (2, 3, "X")], ["B-X", "B-X"]),
        ("nothing here", [], ["O", "O"]),
    ],
)
def test_every_word_of_a_span_gets_its_tag(content: str, spans: list[tuple[int, int, str]], tags: list[str]) -> None:
    made = text(content, *spans)
    assert list(made.tags) == tags
    assert (made.widened, made.unexpressed) == (0, ())


def test_a_span_that_ends_inside_a_word_is_learned_as_the_whole_word() -> None:
    made = text("the Berliners came", (4, 10, "LOC"))
    assert made.tags == ("O", "B-LOC", "O") and made.widened == 1
    assert made.spans == (Span(4, 10, "LOC"),)


def test_a_span_that_shares_a_word_with_the_one_before_cannot_be_expressed() -> None:
    made = text("GmbHBerlin", (0, 4, "ORG"), (4, 10, "LOC"))
    assert made.tags == ("B-ORG",) and made.unexpressed == ("LOC",)
    assert types_in([made]) == {"ORG": 1, "LOC": 1}


def test_words_of_the_file_are_kept() -> None:
    made = text("Don't go", (0, 5, "X"), words=((0, 5), (6, 8)))
    assert made.tags == ("B-X", "O")


def of_words(words: list[str], tags: list[str]) -> TaggedText:
    starts = [sum(len(word) + 1 for word in words[:place]) for place in range(len(words))]
    places = tuple((start, start + len(word)) for start, word in zip(starts, words, strict=True))
    return TaggedText(1, (" ".join(words),), words=places, tags=tuple(tags))


def test_the_most_frequent_tag_of_a_word_is_the_one_it_has_in_training() -> None:
    train = [
        of_words(["May", "came"], ["B-PER", "O"]),
        of_words(["in", "may"], ["O", "O"]),
        of_words(["MAY", "left"], ["B-PER", "O"]),
    ]
    assert frequent_tags(train, [of_words(["may", "go"], ["O", "O"])]) == [["B-PER", "O"]]


def test_the_linear_tagger_learns_words_their_shape_and_their_neighbours() -> None:
    texts = [of_words(*each) for each in tagged_texts(200)]
    tags = linear_tags(texts[:150], texts[150:])
    given, gold = ([tag for each in side for tag in each] for side in (tags, [text.tags for text in texts[150:]]))
    assert np.mean(np.array(given) == np.array(gold)) > 0.98
    codes = [of_words([f"{name}-{place}", "runs"], ["B-CODE", "O"]) for place, name in enumerate("ABCDEFGHIJ" * 4)]
    assert linear_tags(codes, [of_words(["Q-77", "runs"], ["O", "O"])]) == [["B-CODE", "O"]]
    assert linear_tags([of_words(["a"], ["O"])], [of_words(["b", "c"], ["O", "O"])]) == [["O", "O"]]
