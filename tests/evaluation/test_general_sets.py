"""The general set is read in the STS Benchmark's own format, or as any file of scored pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests import checkpoints

from homeground.checkpoint import open_checkpoint
from homeground.data.examples import Example
from homeground.errors import DataError
from homeground.evaluation.general_sets import (
    SHARED_TEXTS,
    Domain,
    is_sts_benchmark,
    read_general,
    read_general_sets,
    script_notes,
)
from homeground.recipe.recipe import make_recipe
from homeground.tasks.classification.classification import Classification
from homeground.tasks.classification.spec import ClassificationSpec
from homeground.tasks.mlm.masking import Masking
from homeground.tasks.mlm.spec import MaskedLMSpec
from homeground.tasks.similarity.similarity import Similarity
from homeground.tasks.similarity.spec import SimilaritySpec
from homeground.tasks.task import Task, TaskSpec

STS = [
    "main-captions\tMSRvid\t2012test\t0001\t5.000\tA boat is on the river.\tA boat lies on the river.",
    'main-news\tnews\t2013\t17\t2.500\tHe said "yes.\tHe said "no".\textra\tfields',
    "main-forums\tdeft\t2014\t3\t0.000\tA cat sleeps.\tThe bank is closed.",
]
REAL = Path(__file__).parents[3] / "shared" / "data" / "sts-benchmark-en" / "sts-dev.csv"


def pairs(loss: str = "cosine_mse", *, examples: Sequence[Example] = (), **settings: Any) -> Domain:
    """Return a domain of pairs that are learned by a loss; ``settings`` are those of the recipe."""
    spec = SimilaritySpec({"text_1": "a", "text_2": "b", "similarity": "c"}, loss, "pearson")
    return domain(spec, spec.with_splits({}, None), examples, **settings)


def reviews(loss: str = "cross_entropy", metric: str = "accuracy", **settings: Any) -> Domain:
    """Return a domain whose texts are called "review" and are good or bad."""
    spec = ClassificationSpec({"text": "review", "label": "is_good"}, loss, metric)
    examples = [Example(1, ("x",), labels=("bad",)), Example(2, ("y",), labels=("good",))]
    return domain(spec, spec.for_labels(("bad", "good"), examples), **settings)


def domain(spec: TaskSpec, task: Task, examples: Sequence[Example] = (), **settings: Any) -> Domain:
    # Only masked words are measured with something of the checkpoint, its mask token.
    unused: Any = None
    return Domain(make_recipe({"data": "pairs.csv"}, **settings), spec, task, unused, examples)


@pytest.fixture
def sts(tmp_path: Path) -> Path:
    path = tmp_path / "sts-dev.csv"
    path.write_text("\n".join(STS) + "\n", encoding="utf-8")
    return path


def test_plain_texts_are_measured_by_the_loss_and_need_two(tmp_path: Path) -> None:
    spec = MaskedLMSpec({"text": "text"}, "perplexity", 0, Masking(), line_by_line=False, draws=1)
    checkpoint = open_checkpoint(str(checkpoints.bert(tmp_path / "bert")))
    task = spec.with_splits({}, checkpoint)
    domain = Domain(make_recipe({"data": "texts.csv"}), spec, task, checkpoint)
    path = tmp_path / "general.csv"
    path.write_text("text,number\none text,1\nanother,2\n")
    assert read_general(str(path), domain)[0].info.primary_metric == "masked_loss"
    path.write_text("text,number\n ,1\n ,2\n")
    with pytest.raises(DataError, match="0 rows can be measured of 2"):
        read_general(str(path), domain)


def test_the_benchmarks_own_format_is_known_by_its_first_line(sts: Path) -> None:
    assert is_sts_benchmark(str(sts))
    task, read = read_general(str(sts), pairs("cosent"))
    assert [example.texts for example in read.examples] == [
        ("A boat is on the river.", "A boat lies on the river."),
        ('He said "yes.', 'He said "no".'),
        ("A cat sleeps.", "The bank is closed."),
    ]
    assert [example.score for example in read.examples] == [1.0, 0.5, 0.0]
    assert isinstance(task, Similarity)
    assert (task.kind, task.info.primary_metric) == ("cosine", "pearson")


@pytest.mark.parametrize(
    ("loss", "kind", "scores"),
    [
        ("angular_mse", "angular", [1.0, 0.75, 0.5]),
        ("cosine_mse", "cosine", [1.0, 0.5, 0.0]),
        ("multiple_negatives_ranking", "cosine", [1.0, 0.5, 0.0]),
    ],
)
def test_it_is_measured_by_the_similarity_of_the_domain(sts: Path, loss: str, kind: str, scores: list[float]) -> None:
    task, read = read_general(str(sts), pairs(loss))
    assert isinstance(task, Similarity)
    assert task.kind == kind
    assert [example.score for example in read.examples] == scores


def test_any_other_file_is_read_by_the_usual_names_whatever_the_domain_is_called(
    write_csv: Callable[..., Path],
) -> None:
    path = write_csv("general.csv", ["sentence1", "sentence2", "score"], [["a", "b", "0.25"], ["c", "d", "1"]])
    assert not is_sts_benchmark(str(path))
    domain = pairs(text_1="left", text_2="right", similarity="grade", score_range="1,7", primary_metric="mae")
    task, read = read_general(str(path), domain)
    assert [example.score for example in read.examples] == [0.25, 1.0]
    assert task.info.primary_metric == "pearson"


def test_its_scores_have_a_range_of_their_own(write_csv: Callable[..., Path]) -> None:
    path = write_csv("general.csv", ["text_1", "text_2", "similarity"], [["a", "b", "1"], ["c", "d", "3"]])
    with pytest.raises(DataError, match=r"row 2: .* holds 3; expected a number from 0 to 1"):
        read_general(str(path), pairs(score_range="1,5"))
    with pytest.raises(DataError, match="add --general-score-range LOW,HIGH"):
        read_general(str(path), pairs())
    _, read = read_general(str(path), pairs(general_score_range="1,5"))
    assert [example.score for example in read.examples] == [0.0, 0.5]


def test_pairs_without_scores_are_refused(write_csv: Callable[..., Path]) -> None:
    path = write_csv("general.csv", ["anchor", "positive"], [["a", "b"], ["c", "d"]])
    with pytest.raises(DataError, match=r"general\.csv: holds pairs without scores"):
        read_general(str(path), pairs("multiple_negatives_ranking"))


@pytest.mark.parametrize("header", [["review", "is_good"], ["text", "label"]])
def test_a_classifier_may_be_measured_on_texts_with_its_own_labels(
    write_csv: Callable[..., Path], header: list[str]
) -> None:
    path = write_csv("general.csv", header, [["a fine film", "good"], ["a dull one", "bad"], ["", "bad"]])
    task, read = read_general(str(path), reviews(text="review", label="is_good"))
    assert [(example.texts, example.labels) for example in read.examples] == [
        (("a fine film",), ("good",)),
        (("a dull one",), ("bad",)),
    ]
    assert (task.info.primary_metric, tuple(task.labels)) == ("accuracy", ("bad", "good"))


def test_a_classifier_may_be_measured_on_pairs_too(sts: Path) -> None:
    task, _ = read_general(str(sts), reviews())
    assert (task.info.head, task.info.primary_metric) == ("encoder", "pearson")


def test_labels_that_the_domain_has_not_are_refused(write_csv: Callable[..., Path]) -> None:
    path = write_csv("general.csv", ["text", "label"], [["a", "good"], ["b", "mixed"]])
    with pytest.raises(DataError, match=r'general\.csv: holds the labels "mixed", which the domain has not'):
        read_general(str(path), reviews())


def pairs_file(write_csv: Callable[..., Path], name: str, count: int, first: int = 0) -> str:
    rows = [[f"text {n // 2}", f"other {n}", n % 5 / 4] for n in range(first, first + count)]
    return str(write_csv(name, ["text_1", "text_2", "similarity"], rows))


def test_one_file_that_chooses_and_decides_is_cut_into_halves_that_share_no_text(
    write_csv: Callable[..., Path],
) -> None:
    path = pairs_file(write_csv, "general.csv", 101)
    decides, chooses = read_general_sets(pairs(keep_general=path))
    assert decides is not None and chooses is not None
    assert abs(len(decides.examples) - len(chooses.examples)) <= 2
    assert len(decides.examples) + len(chooses.examples) == 101
    texts = [{text for example in part.examples for text in example.texts} for part in (decides, chooses)]
    assert not texts[0] & texts[1]
    assert read_general_sets(pairs(keep_general=path)) == (decides, chooses)


def test_of_two_files_the_one_that_chooses_gives_up_what_they_share(write_csv: Callable[..., Path]) -> None:
    decides, chooses = read_general_sets(
        pairs(
            general=pairs_file(write_csv, "decides.csv", 20), keep_general=pairs_file(write_csv, "chooses.csv", 20, 10)
        )
    )
    assert decides is not None and chooses is not None
    assert (len(decides.examples), len(chooses.examples)) == (20, 10)
    assert chooses.name.endswith("chooses.csv")


def test_a_file_too_small_to_be_cut_is_refused(write_csv: Callable[..., Path]) -> None:
    with pytest.raises(
        DataError, match=r"small\.csv: [01] examples are left to choose by, of those that share no text"
    ):
        read_general_sets(pairs(keep_general=pairs_file(write_csv, "small.csv", 3)))


def test_what_chooses_shares_no_text_with_the_data_and_it_is_told(write_csv: Callable[..., Path]) -> None:
    path = pairs_file(write_csv, "chooses.csv", 40)
    decides = pairs_file(write_csv, "decides.csv", 10, 100)
    learned = [Example(1, ("text 3", "elsewhere"), score=0.5), Example(2, ("elsewhere", "other 20"), score=0.5)]
    _, chooses = read_general_sets(pairs(examples=learned, keep_general=path, general=decides))
    assert chooses is not None
    assert chooses.skipped[SHARED_TEXTS] == [7, 8, 21]
    assert len(chooses.examples) == 37


def test_a_half_of_one_score_is_refused(write_csv: Callable[..., Path]) -> None:
    rows = [[f"text {n}", f"other {n}", 0.5] for n in range(20)] + [["a", "b", 0.7]]
    path = write_csv("constant.csv", ["text_1", "text_2", "similarity"], rows)
    with pytest.raises(
        DataError, match=r"examples to (choose|decide) by have the score 0.5, so nothing can be measured"
    ):
        read_general_sets(pairs(keep_general=str(path)))


def test_the_labels_of_each_half_are_its_own(write_csv: Callable[..., Path]) -> None:
    rows = [[f"text {n}", "good" if n == 1 else "bad"] for n in range(12)]
    path = write_csv("general.csv", ["text", "label"], rows)
    tested: list[Any] = []
    for half in read_general_sets(reviews("binary_cross_entropy", "macro_f1", keep_general=str(path))):
        assert half is not None and isinstance(half.task, Classification)
        tested.append(half.task.tested)
    assert sorted(tested, key=str) == [(0, 1), (0,)]


def test_without_a_file_there_is_no_general_set() -> None:
    assert read_general_sets(pairs()) == (None, None)


def test_a_single_pair_measures_nothing_and_is_refused(write_csv: Callable[..., Path]) -> None:
    path = write_csv("general.csv", ["text_1", "text_2", "similarity"], [["a", "b", "1"], ["", "d", "0.3"]])
    with pytest.raises(DataError, match=r"general\.csv: 1 rows can be measured of 2; expected at least 2"):
        read_general(str(path), pairs())


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.csv"):
        read_general(str(tmp_path / "nowhere.csv"), pairs())


@pytest.mark.skipif(not REAL.is_file(), reason="the real data is not here")
def test_the_real_benchmark_is_read_whole() -> None:
    _, read = read_general(str(REAL), pairs())
    assert len(read.examples) == 1500
    scores = [example.score or 0.0 for example in read.examples]
    assert (min(scores), max(scores)) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("texts", "general", "says"),
    [
        (("味道不错", "非常好吃"), ("a fine film", "a dull one"), "100% of the letters of the data and 0% of its own"),
        (("a fine film", "a dull one"), ("味道不错", "非常好吃"), "0% of the letters of the data and 100% of its own"),
        (("a fine film", "a dull one"), ("a boat", "a river"), ""),
        (("味道不错", "非常好吃"), ("很好 OK", "不好"), ""),
        (("a fine film called 好", "a dull one"), ("味道不错", "好吃"), "another script than the data"),
        (("a film 味道不", "a dull one"), ("味道不错", "好吃"), ""),
    ],
)
def test_a_general_set_in_another_script_is_remarked_on(
    write_csv: Callable[..., Path], texts: tuple[str, ...], general: tuple[str, ...], says: str
) -> None:
    path = write_csv("general.csv", ["text_1", "text_2", "similarity"], [(*general, 1), (*general[::-1], 0)])
    decides, _ = read_general_sets(pairs(general=str(path)))
    assert decides is not None
    notes = script_notes(decides, [Example(row, (text,)) for row, text in enumerate(texts)])
    assert [says in note for note in notes] == ([True] if says else [])


@pytest.mark.parametrize(("header", "listed"), [(["id", "label"], '"id", "label"'), (["id", "text"], '"id", "text"')])
def test_a_file_without_the_columns_of_the_data_names_its_own(
    write_csv: Callable[..., Path], header: list[str], listed: str
) -> None:
    path = write_csv("general.csv", header, [[number, "abc"[number % 3]] for number in range(9)])
    wanted = r'general.csv: a general set has the columns of the data, "review", "is_good", or scored pairs'
    with pytest.raises(DataError, match=f"{wanted} .*; this file has {listed}$"):
        read_general(str(path), reviews())
