"""The baseline on words and characters: TF-IDF features with logistic regression, and how it is saved.

    features   words and pairs of words; runs of 2 to 5 characters inside words; or both
               (scripts that write no spaces between words: runs of 1 to 3 characters)
    model      one logistic regression a class against the rest, with an L2 penalty
    choice     the features, then C, by cross-validation on the training texts, whose units stay whole

What is learned from is bounded in characters times classes, so that the largest data takes minutes, not hours.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from scipy.sparse import hstack
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel

from homeground.checkpoint import BAG_OF_WORDS, read_settings
from homeground.data.examples import Example
from homeground.data.segmentation import unspaced_share
from homeground.data.splitting import cross_fit_folds
from homeground.errors import CheckpointError
from homeground.randomness import generator
from homeground.statistics.classification import DECISION_THRESHOLD

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Vectors = Any
"""A sparse matrix of scipy in rows, ``(texts, features)``; its types say less than this name."""

Unit = Literal["words", "characters", "any characters"]
"""What a feature is a run of; "any characters" cross the ends of words."""

NGRAMS: dict[Unit, tuple[int, int]] = {"words": (1, 2), "characters": (2, 5), "any characters": (1, 3)}
# Words of one letter count too: "I" and "a" distinguish texts, and a text may consist of them alone.
WORD = r"(?u)\b\w+\b"
ANALYZERS: dict[Unit, dict[str, Any]] = {
    "words": {"analyzer": "word", "token_pattern": WORD},
    "characters": {"analyzer": "char_wb"},
    "any characters": {"analyzer": "char"},
}

STRENGTHS = (1.0, 3.0, 10.0, 30.0)
"""Values of C, the inverse strength of the L2 penalty, that cross-validation compares."""

USUAL_STRENGTH = 10.0
"""The C with which kinds of features are compared, and that is used where there are too few units to choose by."""

CHOOSING_FOLDS = 3
SOLVER_TOLERANCE = 0.1
"""Of liblinear's dual solver, as in liblinear itself: 1e-4 took 3 times as long on 77 classes for the same accuracy."""

MAX_CHARACTERS_OF_A_TEXT = 10_000
MAX_BYTES_OF_A_TEXT = 4 * MAX_CHARACTERS_OF_A_TEXT
MAX_CHARACTERS = 10_000_000
"""Characters learned from: about 1 GB of memory while they are counted."""

MAX_WORK, MAX_CHOOSING_WORK = 1_000_000_000, 10_000_000
"""Characters times classes learned from (about two minutes), and those that features and C are chosen on."""

MIN_CHOOSING_TEXTS = 1000
MAX_FEATURES, MAX_WEIGHTS = 100_000, 10_000_000
"""Features of one kind, the most frequent; and how many weights they may come to, over all classes."""

CERTAIN_LOGIT = 1e4
"""The logit of a class that all training texts have, and the negative one of a class that none has: 1 and 0."""

TEXTS_AT_ONCE = 4096
TEXTS_LOOKED_AT = 1000
UNSPACED_SHARE = 0.3
"""Share of letters of a script without spaces between words from which texts are cut into characters."""

VOCABULARY_FILE, WEIGHTS_FILE = "vocabulary.json", "model.safetensors"


@dataclass(frozen=True)
class Features:
    """One kind of features: the runs that count, in the order of their columns, with their weights ``idf``."""

    unit: Unit
    vocabulary: tuple[str, ...]
    idf: Floats

    @classmethod
    def of(cls, texts: Sequence[str], unit: Unit, limit: int) -> Features | None:
        """Return the most frequent runs of some texts; None where these have none, as ``"!"`` has no words."""
        counting = _vectorizer(unit, max_features=limit)
        try:
            counting.fit(texts)
        except ValueError:
            return None
        return cls(unit, tuple(counting.get_feature_names_out().tolist()), np.asarray(counting.idf_, np.float64))

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """Return the TF-IDF vectors of texts, of length 1, ``(texts, features)``."""
        counting = _vectorizer(self.unit, vocabulary=self.vocabulary)
        counting.idf_ = self.idf
        return counting.transform(texts)


@dataclass(frozen=True)
class BagOfWords:
    """A classifier on TF-IDF features; logits are ``vectors @ weight.T + bias``, ``weight (classes, features)``.

    The weights are in float32, so that a saved model predicts exactly what it predicted in memory. Probabilities are
    those of one logistic regression a class; where each text has one label they are divided by their sum.
    """

    labels: tuple[str, ...]
    several: bool
    strength: float
    features: tuple[Features, ...]
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]

    @property
    def description(self) -> str:
        """What the features are, e.g. "words and characters"."""
        return " and ".join(each.unit for each in self.features)

    def predict_proba(self, texts: Sequence[str]) -> Floats:
        """Return the probability of every class for every text, ``(texts, classes)``."""
        starts = range(0, len(texts), TEXTS_AT_ONCE)
        parts = [self._probabilities(texts[start : start + TEXTS_AT_ONCE]) for start in starts]
        return np.concatenate(parts) if parts else np.zeros((0, len(self.labels)))

    def predict(self, examples: Sequence[Example]) -> Floats:
        """Return the probabilities for examples, ``(examples, classes)``; the texts of a pair are read as one."""
        return self.predict_proba(joined_texts(examples))

    def _probabilities(self, texts: Sequence[str]) -> Floats:
        cut = _cut(texts)
        vectors: Vectors = hstack([each.vectors(cut) for each in self.features], format="csr")
        return _probabilities(vectors, self.weight, self.bias, several=self.several)

    def save(self, folder: Path) -> None:
        """Write the classifier as JSON and safetensors; labels and settings are where transformers has them too."""
        config = {
            "model_type": BAG_OF_WORDS,
            "architectures": ["BagOfWordsForSequenceClassification"],
            "problem_type": "multi_label_classification" if self.several else "single_label_classification",
            "id2label": {str(place): label for place, label in enumerate(self.labels)},
            "features": [{"unit": each.unit, "lengths": list(NGRAMS[each.unit])} for each in self.features],
            "C": self.strength,
            "max_position_embeddings": MAX_BYTES_OF_A_TEXT,
            "pad_token_id": 0,
        }
        _write(folder / "config.json", config)
        _write(folder / "homeground.json", {"version": 1, "task": "classification"})
        _write(folder / VOCABULARY_FILE, {each.unit: each.vocabulary for each in self.features})
        idf = {f"idf.{each.unit}": each.idf for each in self.features}
        save_file({"weight": self.weight, "bias": self.bias, **idf}, folder / WEIGHTS_FILE)
        # Nothing is predicted from these bytes; they let the folder be read and measured as any other checkpoint.
        tokenizer = Tokenizer(BPE({byte: place for place, byte in enumerate(sorted(ByteLevel.alphabet()))}, []))
        tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
        tokenizer.save(str(folder / "tokenizer.json"))

    @classmethod
    def read(cls, folder: Path) -> BagOfWords:
        """Return the classifier of a folder.

        Raises:
            CheckpointError: the folder holds another version of such a classifier, or is damaged.
        """
        config, vocabulary = read_settings(folder / "config.json"), read_settings(folder / VOCABULARY_FILE)
        tensors = load_file(folder / WEIGHTS_FILE)
        try:
            lengths = {each["unit"]: tuple(each["lengths"]) for each in config["features"]}
            features = tuple(Features(unit, tuple(vocabulary[unit]), tensors[f"idf.{unit}"]) for unit in lengths)
            labels = tuple(str(config["id2label"][str(place)]) for place in range(len(config["id2label"])))
            several = config["problem_type"] == "multi_label_classification"
            model = cls(labels, several, float(config["C"]), features, tensors["weight"], tensors["bias"])
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{folder}: not a bag of words as Homeground writes it ({error!r})") from None
        width = sum(len(each.vocabulary) for each in features)
        known = all(NGRAMS.get(unit) == length for unit, length in lengths.items())
        sizes = all(each.idf.shape == (len(each.vocabulary),) for each in features)
        if not (known and sizes and model.weight.shape == (len(labels), width) and model.bias.shape == (len(labels),)):
            raise CheckpointError(f"{folder}: vocabulary and weights of this bag of words do not fit together")
        return model


def joined_texts(examples: Sequence[Example]) -> list[str]:
    """Return the text of every example, that of a pair its two texts side by side."""
    return [" ".join(example.texts) for example in examples]


def label_frequencies(truth: Ints, count: int) -> Floats:
    """Return the share of every label in training, for each of ``count`` texts; the majority class wins everywhere."""
    return np.tile(truth.mean(0), (count, 1))


def fit_bag_of_words(
    texts: Sequence[str], truth: Ints, units: Ints, labels: Sequence[str], *, several: bool
) -> BagOfWords:
    """Return the classifier fitted to training texts, whose features and C are chosen by cross-validation on them.

    ``truth`` is 0 and 1, shape ``(texts, classes)``; ``units (texts,)`` numbers what must not straddle two folds, such
    as copies of a text. The score is accuracy, or macro F1 where a text may have ``several`` labels; equal scores leave
    the first. All is learned from but for the largest data, of which a random part is (``MAX_CHARACTERS``,
    ``MAX_WORK``).
    """
    classes = truth.shape[1]
    learned, choosing = _sampled(texts, classes)
    places: list[int] = learned.tolist()
    cut, truth, units = _cut([texts[place] for place in places]), truth[learned], units[learned]
    kinds = _kinds(cut, max(1, min(MAX_FEATURES, MAX_WEIGHTS // classes)))
    single = {each.unit: each.vectors(cut) for each in kinds[0]}
    vectors: list[Vectors] = [hstack([single[each.unit] for each in features], format="csr") for features in kinds]
    choice = _Choice.of(truth[choosing], units[choosing], several=several)

    def score(kind: int, strength: float) -> float:
        return choice.score(vectors[kind][choosing], strength)

    kind, strength = 0, USUAL_STRENGTH
    if choice.folds is not None:
        kind = max(range(len(kinds)), key=lambda each: score(each, USUAL_STRENGTH)) if len(kinds) > 1 else kind
        strength = max(STRENGTHS, key=lambda each: score(kind, each))
    weight, bias = _fit(vectors[kind], truth, strength, several=several)
    return BagOfWords(tuple(labels), several, strength, kinds[kind], weight, bias)


def word_vectors(texts: Sequence[str], classes: int) -> Vectors | None:
    """Return TF-IDF vectors of words and pairs of words, ``(texts, features)``; None where the texts have no words.

    In scripts without spaces they are of runs of characters. As many features count as ``classes`` leave room for.
    """
    cut = _cut(texts)
    limit = max(1, min(MAX_FEATURES, MAX_WEIGHTS // classes))
    features = Features.of(cut, "any characters" if unspaced(cut) else "words", limit)
    return None if features is None else features.vectors(cut).tocsr()


def held_out_probabilities(vectors: Vectors, truth: Ints, folds: Ints) -> Floats:
    """Return the probability of every class for every text by a regression that learned from the other folds.

    ``vectors`` are ``(texts, features)``; ``truth`` is 0 and 1, one 1 a text, ``(texts, classes)``, as is the result;
    ``folds (texts,)`` numbers the folds from 0. C is ``USUAL_STRENGTH``: nothing is chosen.
    """
    probabilities = np.zeros(truth.shape)
    for fold in range(int(folds.max()) + 1):
        inside, rest = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        weight, bias = _fit(vectors[rest], truth[rest], USUAL_STRENGTH, several=False)
        probabilities[inside] = _probabilities(vectors[inside], weight, bias, several=False)
    return probabilities


def unspaced(texts: Sequence[str]) -> bool:
    """Tell whether texts are mostly of a script that writes no spaces between words.

    >>> unspaced(["味道不错"]), unspaced(["not bad"])
    (True, False)
    """
    return unspaced_share(texts[:TEXTS_LOOKED_AT]) > UNSPACED_SHARE


@dataclass(frozen=True)
class _Choice:
    """Labels by which settings are compared; ``folds`` is None where there are too few units for two."""

    truth: Ints
    folds: Ints | None
    several: bool

    @classmethod
    def of(cls, truth: Ints, units: Ints, *, several: bool) -> _Choice:
        count = min(CHOOSING_FOLDS, len(np.unique(units)))
        return cls(truth, cross_fit_folds(units, count, seed=0) if count > 1 else None, several)

    def score(self, vectors: Vectors, strength: float) -> float:
        """Return the mean score over the folds, each predicted from the others."""
        assert self.folds is not None
        scores: list[float] = []
        undefined: Any = {"zero_division": 0.0}
        for fold in range(int(self.folds.max()) + 1):
            held_out = np.flatnonzero(self.folds == fold)
            rest = np.flatnonzero(self.folds != fold)
            fitted = _fit(vectors[rest], self.truth[rest], strength, several=self.several)
            given, truth = _probabilities(vectors[held_out], *fitted, several=self.several), self.truth[held_out]
            if self.several:
                scores.append(float(f1_score(truth, given >= DECISION_THRESHOLD, average="macro", **undefined)))
            else:
                scores.append(float(accuracy_score(truth.argmax(1), given.argmax(1))))
        return float(np.mean(scores))


def _sampled(texts: Sequence[str], classes: int) -> tuple[Ints, Ints]:
    """Return the places of the texts that are learned from, and the places among these of those that choose."""
    order = generator(0, "bag of words").permutation(len(texts))
    characters = np.array([min(len(texts[place]), MAX_CHARACTERS_OF_A_TEXT) for place in order]).cumsum()
    rank = np.argsort(order)
    count = max(1, int((characters <= min(MAX_CHARACTERS, MAX_WORK / classes)).sum()))
    chosen_on = max(MIN_CHOOSING_TEXTS, int((characters <= MAX_CHOOSING_WORK / classes).sum()))
    learned = np.flatnonzero(rank < count)
    return learned, np.flatnonzero(rank[learned] < chosen_on)


def _kinds(texts: Sequence[str], limit: int) -> list[tuple[Features, ...]]:
    """Return the features to choose among, those to be used without a choice first."""
    if unspaced(texts):
        single = Features.of(texts, "any characters", limit)
        assert single is not None
        return [(single,)]
    words, characters = Features.of(texts, "words", limit), Features.of(texts, "characters", limit)
    assert characters is not None
    return [(characters,)] if words is None else [(words, characters), (words,), (characters,)]


def _vectorizer(unit: Unit, **options: Any) -> TfidfVectorizer:
    return TfidfVectorizer(**ANALYZERS[unit], ngram_range=NGRAMS[unit], sublinear_tf=True, **options)


def _cut(texts: Sequence[str]) -> list[str]:
    return [text[:MAX_CHARACTERS_OF_A_TEXT] for text in texts]


def _fit(
    vectors: Vectors, truth: Ints, strength: float, *, several: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return weight and bias of one regression a class."""
    classes = truth.shape[1]
    weight, bias = np.zeros((classes, vectors.shape[1]), np.float32), np.zeros(classes, np.float32)
    counts = truth.sum(0)
    # Of two classes that exclude each other, the one is what the other is not.
    mirrored = not several and classes == 2 and 0 < counts[0] < len(truth)
    model: Any = LogisticRegression(C=strength, solver="liblinear", dual=True, tol=SOLVER_TOLERANCE, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for place in range(1 if mirrored else classes):
            if counts[place] in (0, len(truth)):
                bias[place] = CERTAIN_LOGIT if counts[place] else -CERTAIN_LOGIT
                continue
            model.fit(vectors, truth[:, place])
            weight[place], bias[place] = model.coef_[0], model.intercept_[0]
    if mirrored:
        weight[1], bias[1] = -weight[0], -bias[0]
    return weight, bias


def _probabilities(
    vectors: Vectors, weight: NDArray[np.float32], bias: NDArray[np.float32], *, several: bool
) -> Floats:
    each = np.asarray(expit(vectors @ weight.T.astype(np.float64) + bias.astype(np.float64)), np.float64)
    return each if several else each / each.sum(axis=1, keepdims=True)


def _write(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
