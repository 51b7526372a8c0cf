"""Masks hide the share of tokens that was asked for, in words of every length, and hide them as BERT does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests import checkpoints
from transformers import BertTokenizerFast, DataCollatorForLanguageModeling

from homeground.data.segmentation import word_spans, word_starts
from homeground.errors import UsageError
from homeground.tasks.mlm.masking import Masking, choose, corrupt

CHINESE = "该公司发布新款手机，用户反映电池续航明显提升。"


def starts_of(lengths: NDArray[np.int64] | list[int]) -> NDArray[np.bool_]:
    starts = np.zeros(sum(lengths), np.bool_)
    starts[np.cumsum([0, *lengths[:-1]])] = True
    return starts


def words_like_english(random: np.random.Generator, tokens: int = 128) -> NDArray[np.bool_]:
    """Return a block as WordPiece cuts English, with a word cut off at its end."""
    lengths = random.choice([1, 2, 3, 4, 5, 8], tokens, p=[0.75, 0.14, 0.06, 0.03, 0.015, 0.005])
    return starts_of(lengths)[:tokens]


@pytest.mark.parametrize("whole_word", [False, True])
def test_the_share_of_masked_tokens_is_right_in_words_of_every_length(whole_word: bool) -> None:
    random = np.random.default_rng(0)
    shares: list[float] = []
    seen, masked = np.zeros(6), np.zeros(6)
    for _ in range(10_000):
        starts = words_like_english(random)
        chosen = choose(starts, random, 0.15, whole_word)
        shares.append(float(chosen.mean()))
        first = np.flatnonzero(starts)
        length = np.minimum(np.diff(first, append=len(starts)), 5)
        seen += np.bincount(length, minlength=6)
        masked += np.bincount(length, chosen[first], minlength=6)
    assert np.mean(shares) == pytest.approx(0.15, abs=0.001)
    assert np.std(shares) < (0.018 if whole_word else 0.004)  # 0.032 where every token is drawn for itself
    assert (seen[1:] > 10_000).all() and masked[1:] / seen[1:] == pytest.approx(0.15, abs=0.008)


def test_where_a_word_stands_makes_no_difference() -> None:
    random = np.random.default_rng(0)
    starts = starts_of([1, 2, 1, 1, 3, 1, 2, 1, 1, 1] * 3)
    rate = np.mean([choose(starts, random, 0.15, True) for _ in range(10_000)], axis=0)
    assert rate == pytest.approx(np.full(len(starts), 0.15), abs=0.015)


def test_any_two_tokens_can_be_masked_together() -> None:
    random = np.random.default_rng(0)
    masks = np.array([choose(np.ones(10, np.bool_), random, 0.3, False) for _ in range(2000)], np.int64)
    assert (masks.T @ masks > 50).all()


@given(
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=60),
    probability=st.floats(0.01, 1),
    whole_word=st.booleans(),
    seed=st.integers(0, 100),
)
def test_the_number_of_masked_tokens_is_as_near_as_whole_words_allow(
    lengths: list[int], probability: float, whole_word: bool, seed: int
) -> None:
    starts = starts_of(lengths)
    chosen = choose(starts, np.random.default_rng(seed), probability, whole_word)
    words = len(lengths) if whole_word and len(lengths) > 1 else len(starts)
    longest = max(lengths) if words == len(lengths) else 1
    assert chosen.shape == starts.shape and chosen.any()
    assert chosen.all() == (probability == 1 or len(starts) == 1) or (probability > 0.9 and len(starts) > 1)
    if 1 <= probability * words <= words - 1:
        assert abs(chosen.sum() - probability * len(starts)) <= longest
    if words == len(lengths):
        number = np.cumsum(starts)
        assert len(set(number[chosen]) & set(number[~chosen])) == 0


@pytest.mark.parametrize("whole_word", [False, True])
def test_something_is_masked_in_the_shortest_block_and_never_all_of_it(whole_word: bool) -> None:
    random = np.random.default_rng(0)
    assert choose(np.array([], np.bool_), random, 0.15, whole_word).shape == (0,)
    assert choose(np.array([True]), random, 0.15, whole_word).tolist() == [True]
    for starts in ([True, True], [True, False], [True, False, True, False], [False, False, True]):
        for probability in (0.01, 0.15, 0.5, 0.99):
            for _ in range(50):
                assert 0 < choose(np.array(starts), random, probability, whole_word).sum() < len(starts)
        assert choose(np.array(starts), random, 1.0, whole_word).all()


def test_the_same_generator_gives_the_same_mask_and_another_gives_another() -> None:
    starts = words_like_english(np.random.default_rng(0))
    first, again, other = (choose(starts, np.random.default_rng(seed), 0.15, True).tolist() for seed in (1, 1, 2))
    assert first == again != other


def chinese_tokenizer() -> BertTokenizerFast:
    vocabulary = [*checkpoints.SPECIAL_TOKENS, *dict.fromkeys(CHINESE)]
    return BertTokenizerFast(vocab={token: place for place, token in enumerate(vocabulary)})


def test_words_of_a_chinese_sentence_are_masked_where_transformers_masks_all_or_nothing() -> None:
    tokenizer = chinese_tokenizer()
    encoded = tokenizer(CHINESE, return_offsets_mapping=True, add_special_tokens=False)
    starts = word_starts(word_spans(CHINESE), encoded["offset_mapping"])
    random = np.random.default_rng(0)
    ours = [choose(starts, random, 0.15, True).sum() for _ in range(2000)]
    assert np.mean(ours) / len(starts) == pytest.approx(0.15, abs=0.01)
    assert min(ours) >= 1 and max(ours) <= 7

    collator = DataCollatorForLanguageModeling(
        tokenizer=tokenizer,
        whole_word_mask=True,
        mlm_probability=0.15,
        mask_replace_prob=1,
        random_replace_prob=0,
        return_tensors="np",
        seed=0,
    )
    theirs = [int((collator([dict(encoded)])["labels"] != -100).sum()) for _ in range(50)]
    assert set(theirs) == {0, len(starts)}


def test_masked_replaced_and_kept_tokens_are_as_many_as_transformers_has() -> None:
    tokenizer = chinese_tokenizer()
    ids = np.random.default_rng(0).integers(5, len(tokenizer), 40_000)
    collator = DataCollatorForLanguageModeling(tokenizer=tokenizer, mlm_probability=0.15, return_tensors="np", seed=0)
    theirs = collator([{"input_ids": ids.tolist()}])
    random = np.random.default_rng(0)
    chosen = choose(np.ones(len(ids), np.bool_), random, 0.15, False)
    replacements = np.arange(len(tokenizer))
    ours = corrupt(ids, chosen, random, masking=Masking(), mask_id=4, replacements=replacements)

    def rates(corrupted: NDArray[np.int64], places: NDArray[np.bool_]) -> list[float]:
        masked, kept = corrupted[places] == 4, corrupted[places] == ids[places]
        return [float(places.mean()), float(masked.mean()), float(kept.mean()), float((~masked & ~kept).mean())]

    assert rates(ours, chosen) == pytest.approx(rates(theirs["input_ids"][0], theirs["labels"][0] != -100), abs=0.02)


def test_what_was_not_chosen_stays_and_what_is_random_comes_from_the_replacements() -> None:
    ids = np.arange(100, 2100)
    chosen = np.zeros(2000, np.bool_)
    chosen[::2] = True
    before = ids.copy()
    masking = Masking(mask_share=0.5, random_share=0.25)
    out = corrupt(ids, chosen, np.random.default_rng(0), masking=masking, mask_id=4, replacements=np.array([7, 9]))
    assert ids.tolist() == before.tolist()
    assert (out[~chosen] == ids[~chosen]).all()
    assert set(out[chosen & (out != ids)].tolist()) == {4, 7, 9}
    assert [(out == 4).sum(), np.isin(out, [7, 9]).sum()] == pytest.approx([500, 250], abs=50)


def test_every_chosen_token_can_become_the_mask_token() -> None:
    ids = np.arange(50)
    masking = Masking(mask_share=1, random_share=0)
    out = corrupt(ids, ids < 9, np.random.default_rng(0), masking=masking, mask_id=99, replacements=np.array([1]))
    assert out.tolist() == [99] * 9 + list(range(9, 50))


@pytest.mark.parametrize("probability", [0.0, -0.1, 1.1, float("nan")])
def test_a_share_that_is_none_is_refused(probability: float) -> None:
    with pytest.raises(UsageError, match="more than 0 and at most 1"):
        Masking(probability)


@pytest.mark.parametrize(("mask_share", "random_share"), [(0.9, 0.2), (-0.1, 0.1), (0.5, -0.5), (float("nan"), 0.1)])
def test_shares_that_make_no_whole_are_refused(mask_share: float, random_share: float) -> None:
    with pytest.raises(UsageError, match="add up to 1 at most"):
        Masking(mask_share=mask_share, random_share=random_share)
    assert Masking(mask_share=0.9, random_share=0.1).probability == 0.15
