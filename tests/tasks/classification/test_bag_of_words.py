"""The baseline on words and characters against scikit-learn's own classes, fitted and chosen by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import FeatureUnion
from tests.classifying import topic_texts

from homeground.data.splitting import cross_fit_folds
from homeground.errors import CheckpointError
from homeground.tasks.classification import bag_of_words
from homeground.tasks.classification.bag_of_words import STRENGTHS, WORD, BagOfWords, fit_bag_of_words

ROWS = topic_texts(240, noise=3)
TEXTS = [text for text, _ in ROWS]
NAMES = sorted({label for _, label in ROWS})
RANDOM = np.random.default_rng(0)
NOISE = RANDOM.integers(0, len(NAMES), len(ROWS))
TOPIC = np.where(RANDOM.random(len(ROWS)) < 0.3, NOISE, [NAMES.index(label) for _, label in ROWS])
TEST = [text for text, _ in topic_texts(50, seed=9)]
UNITS = np.arange(len(ROWS))
WORDS = {"ngram_range": (1, 2), "token_pattern": WORD}
KINDS = {"words": WORDS, "characters": {"analyzer": "char_wb", "ngram_range": (2, 5)}}


def fit(truth: np.ndarray, *, several: bool, texts: list[str] = TEXTS, units: np.ndarray = UNITS) -> BagOfWords:
    labels = [str(place) for place in range(truth.shape[1])]
    return fit_bag_of_words(texts, truth, units[: len(texts)], labels, several=several)


def features(description: str) -> FeatureUnion:
    return FeatureUnion(
        [(kind, TfidfVectorizer(sublinear_tf=True, **KINDS[kind])) for kind in KINDS if kind in description]
    )


def fitted(vectors: object, labels: np.ndarray, strength: float) -> OneVsRestClassifier:
    model = LogisticRegression(C=strength, solver="liblinear", dual=True, tol=0.1, random_state=0)
    return OneVsRestClassifier(model).fit(vectors, labels)


@pytest.mark.parametrize("classes", [2, 4])
def test_one_label_a_text_has_the_probabilities_of_one_classifier_a_class(classes: int) -> None:
    labels = TOPIC % 2 if classes == 2 else TOPIC
    model = fit(np.eye(classes, dtype=np.int64)[labels], several=False)
    union = features(model.description)
    expected = fitted(union.fit_transform(TEXTS), labels, model.strength).predict_proba(union.transform(TEST))
    probabilities = model.predict_proba(TEST)
    # Of two classes liblinear learns the second by hand and the first here; a loose tolerance leaves a little of that.
    assert probabilities == pytest.approx(expected, abs=1e-5 if classes > 2 else 0.02)
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(len(TEST)))


def test_several_labels_a_text_have_the_probabilities_of_one_classifier_a_label() -> None:
    columns = [TOPIC == 0, (TOPIC == 1) | (RANDOM.random(len(TEXTS)) < 0.1), np.zeros(len(TEXTS)), np.ones(len(TEXTS))]
    truth = np.stack(columns, axis=1).astype(np.int64)
    model = fit(truth, several=True)
    union = features(model.description)
    expected = fitted(union.fit_transform(TEXTS), truth[:, :2], model.strength).predict_proba(union.transform(TEST))
    probabilities = model.predict_proba(TEST)
    assert probabilities[:, :2] == pytest.approx(expected, abs=1e-5)
    assert probabilities[:, 2:].tolist() == [[0.0, 1.0]] * len(TEST)


@pytest.mark.parametrize("several", [False, True])
def test_features_and_c_are_the_best_over_folds_that_keep_units_whole(several: bool) -> None:
    # Copies of a text have one label, so that folds that separate them would reward memory.
    places = np.repeat(np.arange(60), 4)
    texts, truth = [TEXTS[place] for place in places], np.eye(len(NAMES), dtype=np.int64)[TOPIC[places]]
    folds = cross_fit_folds(places, 3, seed=0)

    def score(description: str, strength: float) -> float:
        vectors, scores = features(description).fit_transform(texts), []
        for fold in range(3):
            held_out, rest = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
            labels = truth if several else truth.argmax(1)
            predicted = fitted(vectors[rest], labels[rest], strength).predict(vectors[held_out])
            if several:
                scores.append(f1_score(labels[held_out], predicted, average="macro", zero_division=0))
            else:
                scores.append(accuracy_score(labels[held_out], predicted))
        return float(np.mean(scores))

    model = fit(truth, several=several, texts=texts, units=places)
    kind = max(["words and characters", "words", "characters"], key=lambda each: score(each, 10.0))
    assert model.description == kind
    assert model.strength == max(STRENGTHS, key=lambda each: score(kind, each))


def test_endings_are_learned_by_characters_and_unspaced_scripts_by_any_characters() -> None:
    stems = ["".join(RANDOM.choice(list("bcdfghklmnprstv"), 5)) for _ in range(200)]
    texts = [stem + ("ingly" if place % 2 else "ation") for place, stem in enumerate(stems)]
    truth = np.eye(2, dtype=np.int64)[np.arange(200) % 2]
    model = fit(truth[:150], several=False, texts=texts[:150])
    assert model.description in ("characters", "words and characters")
    assert (model.predict_proba(texts[150:]).argmax(1) == truth[150:].argmax(1)).mean() > 0.9
    reviews = ["味道很好" + text for text in "啊呀吧呢"] * 5 + ["太难吃了" + text for text in "啊呀吧呢"] * 5
    model = fit(np.eye(2, dtype=np.int64)[np.arange(40) // 20], several=False, texts=reviews)
    assert model.description == "any characters"
    assert model.predict_proba(["真好", "难吃"]).argmax(1).tolist() == [0, 1]


@pytest.mark.parametrize(
    "texts", [["a", "b"], ["same"] * 6, ["!", "?!", "🙂", "🙂🙂", "…", "#"], ["ok", "味道", "!", "no"]]
)
def test_a_few_odd_texts_are_enough(texts: list[str]) -> None:
    units = np.unique(texts, return_inverse=True)[1]
    truth = np.eye(3, dtype=np.int64)[np.arange(len(texts)) % 2]
    probabilities = fit(truth, several=False, texts=texts, units=units).predict_proba([*texts, "unseen", " "])
    assert np.isfinite(probabilities).all()
    assert (probabilities[:, 2] == 0).all()
    assert probabilities.sum(1) == pytest.approx(np.ones(len(texts) + 2))


def test_a_single_class_is_certain() -> None:
    truth = np.eye(3, dtype=np.int64)[np.ones(len(TEXTS), int)]
    assert fit(truth, several=False).predict_proba(TEST[:2]).tolist() == [[0.0, 1.0, 0.0], [0.0, 1.0, 0.0]]


def test_large_data_is_learned_from_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    truth = np.eye(4, dtype=np.int64)[TOPIC]
    whole = fit(truth, several=False)
    monkeypatch.setattr(bag_of_words, "MAX_CHARACTERS", sum(map(len, TEXTS)) // 4)
    part = fit(truth, several=False)
    assert part.weight.shape[1] < whole.weight.shape[1] / 2
    monkeypatch.setattr(bag_of_words, "MAX_WEIGHTS", 400)
    assert max(len(each.vocabulary) for each in fit(truth, several=False).features) == 100


@pytest.mark.parametrize("several", [False, True])
def test_a_saved_one_predicts_exactly_as_before_without_pickle(tmp_path: Path, several: bool) -> None:
    model = fit(np.eye(4, dtype=np.int64)[TOPIC], several=several)
    model.save(tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".safetensors"}
    again = BagOfWords.read(tmp_path)
    assert np.array_equal(again.predict_proba(TEST), model.predict_proba(TEST))
    assert (again.labels, again.several, again.strength) == (model.labels, several, model.strength)
    # What is written is enough to predict with scikit-learn alone.
    config, vocabulary = (json.loads((tmp_path / name).read_text()) for name in ("config.json", "vocabulary.json"))
    tensors, parts = load_file(tmp_path / "model.safetensors"), []
    for each in config["features"]:
        part = TfidfVectorizer(sublinear_tf=True, vocabulary=vocabulary[each["unit"]], **KINDS[each["unit"]])
        part.idf_ = tensors[f"idf.{each['unit']}"]
        parts.append(part.transform(TEST).toarray())
    logits = np.hstack(parts) @ tensors["weight"].T + tensors["bias"]
    assert (logits.argmax(1) == model.predict_proba(TEST).argmax(1)).all()


def test_a_damaged_one_is_refused(tmp_path: Path) -> None:
    fit(np.eye(4, dtype=np.int64)[TOPIC], several=False).save(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    save_file({**tensors, "weight": tensors["weight"][:, :-1]}, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match="do not fit together"):
        BagOfWords.read(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(CheckpointError, match="not a bag of words"):
        BagOfWords.read(tmp_path)
