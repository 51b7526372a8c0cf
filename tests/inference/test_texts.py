"""What may be given as texts, and what becomes of missing ones: one rule for every model in use."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score
from tests import checkpoints
from tests.inference.test_loading import classifier
from transformers import AutoModel, AutoModelForSequenceClassification

import homeground
from homeground import Classifier, Encoder, MaskedLM
from homeground.errors import UsageError
from homeground.inference.files import predict_file
from homeground.inference.fill_mask import MaskCandidate

MISSING: list[Any] = [None, float("nan"), np.float32("nan"), "", "  \t\n"]


class Series(list[Any]):
    """Stands for a column of a data frame."""

    def tolist(self) -> list[Any]:
        return list(self)


class Frame:
    """Stands for a data frame, which gives the names of its columns when it is gone through."""

    columns = ("id", "text")

    def __iter__(self) -> Any:
        return iter(self.columns)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("models")
    several = checkpoints.bert(folder / "several")
    body = AutoModelForSequenceClassification.from_pretrained(
        several,
        problem_type="multi_label_classification",
        id2label={0: "a", 1: "b", 2: "c"},
        label2id={"a": 0, "b": 1, "c": 2},
    )
    body.classifier.weight.data *= 100  # So that texts have different labels.
    body.save_pretrained(several)
    return {
        "encoder": homeground.load(checkpoints.sentence_encoder(folder / "encoder")),
        "classifier": homeground.load(classifier(folder / "classifier")),
        "several": homeground.load(several),
        "masked": homeground.load(checkpoints.bert(folder / "masked")),
    }


USES: dict[str, list[str]] = {
    "encoder": ["encode", "similarity"],
    "classifier": ["predict", "predict_proba", "embed"],
    "several": ["predict", "predict_proba"],
    "masked": ["encode", "fill_mask"],
}
CASES = [(kind, use) for kind, uses in USES.items() for use in uses]


def ask(models: dict[str, Any], kind: str, use: str) -> Callable[[Any], Any]:
    method = getattr(models[kind], use)
    return (lambda texts: method("bank", texts)) if use == "similarity" else method


def is_nothing(result: Any) -> bool:
    if isinstance(result, np.ndarray | float):
        return bool(np.isnan(result).all())
    return result is None or result == []


def alike(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray | float):
        return np.allclose(one, other, atol=1e-6)
    tokens = [
        [each.token if isinstance(each, MaskCandidate) else each for each in side] if isinstance(side, list) else side
        for side in (one, other)
    ]
    return tokens[0] == tokens[1]


@pytest.mark.parametrize(("kind", "use"), CASES)
def test_a_missing_text_gets_nothing_and_changes_no_other(models: dict[str, Any], kind: str, use: str) -> None:
    call = ask(models, kind, use)
    texts = ["the bank [MASK]", "a judge [MASK]"]
    expected = call(texts)
    given = [texts[0], *MISSING, texts[1]]
    results = call(given)
    assert len(results) == len(given)
    assert all(is_nothing(result) for result in results[1:-1])
    for place, result in ((0, results[0]), (1, results[-1])):
        assert alike(result, expected[place])
    assert all(is_nothing(result) for result in call([None, ""]))
    assert len(call([])) == 0


@pytest.mark.parametrize(("kind", "use"), CASES)
def test_one_text_is_one_text_and_columns_and_arrays_are_lists(models: dict[str, Any], kind: str, use: str) -> None:
    call = ask(models, kind, use)
    text = "the bank [MASK]"
    (first,) = call([text])
    for given in (np.array([text]), np.array([text], object), Series([text]), (text,), iter([text])):
        assert alike(call(given)[0], first)
    assert alike(call(text), first)
    assert is_nothing(call(""))


@pytest.mark.parametrize(("kind", "use"), CASES)
@pytest.mark.parametrize(
    ("given", "message"),
    [
        (Frame(), r'a Frame with the columns id, text; name one, e.g. df\["text"\]'),
        (b"bank", r'got bytes; decode them, e.g. with .decode\("utf-8"\)'),
        ([b"bank"], r"item 0 is bytes; expected a text; decode it"),
        ({"text": "bank"}, r"got a dict, which has no order of texts"),
        ({"bank"}, r"got a set, which has no order of texts"),
        (5, r"got the number 5"),
        (None, r"got None"),
        (["the bank [MASK]", 5], r"item 1 is the number 5; expected a text"),
        (Path("a.csv"), r"homeground\.predict_file\(model, FILE, OUTPUT\)"),
        ("tickets.csv", r'"tickets.csv" is the name of a file'),
    ],
    ids=["frame", "bytes", "list of bytes", "dict", "set", "number", "none", "numbers", "path", "name of a file"],
)
def test_what_is_no_text_is_refused(models: dict[str, Any], kind: str, use: str, given: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ask(models, kind, use)(given)


def test_missing_texts_are_treated_as_in_files(models: dict[str, Any], tmp_path: Path) -> None:
    source, target = tmp_path / "texts.jsonl", tmp_path / "out.jsonl"
    given = ["the bank", None, "", " ", "a judge"]
    source.write_text("".join(json.dumps({"text": text}) + "\n" for text in given))
    done = predict_file(models["classifier"], source, target)
    assert (done.rows, done.empty) == (5, 3)
    written = [json.loads(line)["predicted_label"] for line in target.read_text().splitlines()]
    assert written == models["classifier"].predict(given)


def test_a_text_of_a_file_that_exists_is_a_text_in_a_list(models: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("x")
    with pytest.raises(UsageError, match="is the name of a file"):
        models["classifier"].predict(str(tmp_path / "notes"))
    assert models["classifier"].predict(["tickets.csv"])[0] in ("good", "bad")
    assert models["classifier"].predict("I lost tickets.csv") in ("good", "bad")


def test_pairs_belong_to_classifiers_and_are_not_mixed_with_texts(models: dict[str, Any]) -> None:
    model = models["classifier"]
    pair = ("the bank", "a judge")
    together = model.predict_proba([pair, None, ("the bank", None), list(pair)])
    assert np.isnan(together[1:3]).all()
    assert np.array_equal(together[0], together[3])
    for wrong, message in (([pair, "bank"], "mixture"), ([("a", "b", "c")], "item 0 has 3 parts")):
        with pytest.raises(UsageError, match=message):
            model.predict(wrong)
    with pytest.raises(UsageError, match="item 0 is a tuple; expected a text; pairs go to similarity"):
        models["encoder"].encode([pair])


def test_similarity_of_one_and_of_many(models: dict[str, Any]) -> None:
    model: Encoder = models["encoder"]
    texts = ["cat", "dog", "bank"]
    one = model.similarity("cat", "dog")
    assert isinstance(one, float)
    assert one == pytest.approx(model.similarity(["cat"], ["dog"])[0])
    assert model.similarity("cat", texts) == pytest.approx(model.similarity(["cat"] * 3, texts))
    assert model.similarity(texts, "cat") == pytest.approx(model.similarity("cat", texts))
    assert model.similarity("cat", []).shape == (0,)
    # Two words of the same length were once compared letter by letter.
    assert model.similarity("cat", "dog") == pytest.approx(model.similarities(["cat", "dog"])[0, 1])
    with pytest.raises(UsageError, match="got 1 first and 3 second texts"):
        model.similarity(["cat"], texts)


def test_search_finds_the_most_similar_texts(models: dict[str, Any]) -> None:
    model: Encoder = models["encoder"]
    texts = ["bank", None, "judge of the court", "bank loan", "", "the bank"]
    scores = model.similarity("bank", texts)
    found = model.search("bank", texts, top=3)
    expected = sorted((at for at in range(6) if texts[at]), key=lambda at: -scores[at])[:3]
    assert [match.index for match in found] == expected
    assert [match.text for match in found] == [texts[at] for at in expected]
    assert [match.score for match in found] == pytest.approx([scores[at] for at in expected])
    index, text, score = found[0]
    assert (index, text) == (0, "bank") and score == pytest.approx(max(scores[0], scores[0]))
    several = model.search(["bank", "", "judge"], texts, top=None)
    assert [len(each) for each in several] == [4, 0, 4]
    assert several[0][:3] == found
    with pytest.raises(UsageError, match="top is 0"):
        model.search("bank", texts, top=0)


def test_encode_takes_what_users_of_sentence_transformers_give(
    models: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    model: Encoder = models["encoder"]
    plain = model.encode(["bank", "judge"], batch_size=1, show_progress_bar=False)
    assert capsys.readouterr().err == ""
    unit = model.encode(["bank", "judge"], normalize_embeddings=True, show_progress_bar=True)
    assert "2.00/2.00" in capsys.readouterr().err
    assert unit == pytest.approx(plain / np.linalg.norm(plain, axis=1, keepdims=True), abs=1e-6)
    assert model.dimensions == model.encode("bank").shape[0] == 32
    with pytest.raises(UsageError, match="batch_size is 0"):
        model.encode(["bank"], batch_size=0)


def test_top_gives_labels_with_their_probabilities(models: dict[str, Any]) -> None:
    model: Classifier = models["classifier"]
    probabilities = model.predict_proba(["the bank", "a judge"])
    ranked = model.predict(["the bank", None, "a judge"], top=1)
    assert ranked[1] is None
    for row, ((label, probability),) in zip(probabilities, (ranked[0], ranked[2]), strict=True):
        assert probability == pytest.approx(row.max())
        assert label == model.classes_[row.argmax()]
    assert len(model.predict("the bank", top=9)) == 2
    masked: MaskedLM = models["masked"]
    assert len(masked.fill_mask("the [MASK]", top=3)) == 3


def test_score_is_accuracy_or_macro_f1(models: dict[str, Any]) -> None:
    texts = ["the bank", "a judge", "big city", "old dog", "road and river", "film"]
    model: Classifier = models["classifier"]
    labels = ["good", "bad", "good", "good", None, "other"]
    right = [own == label for own, label in zip(model.predict(texts), labels, strict=True)]
    assert model.score(texts, labels) == pytest.approx((sum(right[:4]) + 0) / 5)
    several: Classifier = models["several"]
    gold = [["a"], ["b", "c"], [], ["a", "c"], ["b"], ["a"]]
    own = several.predict(texts)
    truth, guess = (np.array([[name in row for name in "abc"] for row in rows]) for rows in (gold, own))
    assert several.score(texts, gold) == pytest.approx(f1_score(truth, guess, average="macro", zero_division=0))
    with pytest.raises(UsageError, match="got 6 texts and 2 labels"):
        model.score(texts, ["good", "bad"])
    with pytest.raises(
        UsageError, match=r"no text has one of the model's labels, e\.g\. \"Good\"; did you mean \"good\""
    ):
        model.score(texts, ["Good"] * 6)


@pytest.mark.parametrize("kind", list(USES))
def test_a_model_is_saved_where_nothing_is_and_loads_again(models: dict[str, Any], kind: str, tmp_path: Path) -> None:
    model = models[kind]
    folder = model.save(tmp_path / "new" / "copy")
    again = homeground.load(folder)
    assert type(again) is type(model)
    assert again.checkpoint.sha256 == model.checkpoint.sha256
    AutoModel.from_pretrained(folder)
    with pytest.raises(UsageError, match="is not empty; name a new folder"):
        model.save(folder)
    (tmp_path / "empty").mkdir()
    assert (model.save(tmp_path / "empty") / "model.safetensors").is_file()


def test_models_show_what_they_are(models: dict[str, Any]) -> None:
    shown = repr(models["classifier"])
    assert shown.startswith("Classifier('")
    assert "labels=['good', 'bad'], parameters=2" in shown and "max_length=64)" in shown
    assert "similarity='angular'" in repr(models["encoder"])
