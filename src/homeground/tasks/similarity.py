"""Similarity: a siamese encoder learns from scored pairs, or from pairs and triplets that belong together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize as sklearn_normalize
from tokenizers import Tokenizer

from homeground.checkpoint import Checkpoint
from homeground.data.examples import Example, Examples
from homeground.data.tables import Row, Table, column_error, group, number, text
from homeground.data.tokenized import Tokenized, tokenize
from homeground.data.units import PairUnits
from homeground.errors import DataError, UsageError, nearest
from homeground.recipe.recipe import Recipe
from homeground.statistics import correlation
from homeground.tasks.task import Batch, Measured, Metric, Occasion, RareClass, Side, Split

USUAL_NAMES = {
    "text_1": ("text_1", "text1", "sentence1", "sentence_1", "sentence_a", "sent1", "question1", "base"),
    "text_2": ("text_2", "text2", "sentence2", "sentence_2", "sentence_b", "sent2", "question2", "ref"),
    "similarity": ("similarity", "score", "similarity_score", "relatedness_score"),
    "anchor": ("anchor", "query"),
    "positive": ("positive", "pos"),
    "negative": ("negative", "neg"),
    "group": ("group",),
}
COSINE_LIMIT = 1 - 1e-5
PAIR_STATISTICS = 10
"""Columns of ``correlation.pair_statistics``; the statistics of the ranks follow them."""

MOST_TITLES, LONGEST_TITLE = 8, 40
"""Texts a heat map is given when the user names none, and the characters each may have."""

CHUNK = 1024
"""Anchors ranked at once, so that memory does not grow with their number."""

WHOLE_BATCH = ("cosent", "multiple_negatives_ranking")
"""Losses that learn by holding the pairs of a batch against each other."""

SCORED_METRICS: dict[str, Metric] = {
    "pearson": correlation.pearson,
    "spearman": lambda sums: correlation.pearson(sums[..., PAIR_STATISTICS:]),
    "mse": correlation.mse,
    "mae": correlation.mae,
    "mape": correlation.mape,
}


def angular_similarity(cosine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``1 - arccos(cosine) / pi``, in [0, 1]: 0.5 for unrelated texts, 1 for the same (Cer et al. 2018).

    The cosine is clipped to ±(1 - 1e-5), as in training, so that the largest value is 0.9986.

    >>> angular_similarity(np.array([0.0])).tolist()
    [0.5]
    """
    return 1 - np.arccos(np.clip(cosine, -COSINE_LIMIT, COSINE_LIMIT)) / np.pi


def similarity(
    embeddings_1: NDArray[np.floating[Any]], embeddings_2: NDArray[np.floating[Any]], kind: str
) -> NDArray[np.float64]:
    """Return the similarity of embeddings row by row, shape ``(texts,)``; ``kind`` is "angular" or "cosine"."""
    first, second = np.asarray(embeddings_1, np.float64), np.asarray(embeddings_2, np.float64)
    norms = np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1)
    cosine = (first * second).sum(-1) / np.maximum(norms, 1e-12)
    return angular_similarity(cosine) if kind == "angular" else cosine


@dataclass(frozen=True)
class PairRows:
    """Tokenized pairs: distinct texts tokenized once, and which of them stand on each side.

    ``sides (pairs, 2 or 3)`` indexes ``texts``; ``scores (pairs,)`` is NaN where pairs have none.
    """

    texts: Tokenized
    sides: NDArray[np.int64]
    scores: NDArray[np.float64]
    padding: int

    @property
    def truncated(self) -> int:
        """Distinct texts that lost tokens to the maximum length."""
        return self.texts.truncated

    def lengths(self, occasion: Occasion) -> NDArray[np.int64]:
        """Trained are pairs, as long as their longest side; measured are distinct texts."""
        return self.texts.lengths[self.sides].max(1) if occasion == "training" else self.texts.lengths


@dataclass(frozen=True)
class Similarity:
    """A siamese encoder on pairs of texts.

    Scored pairs are measured by the Pearson correlation of predicted and given similarity; pairs without scores by the
    mean reciprocal rank of each anchor's positive among all positives (and negatives) of the set.
    """

    columns: Mapping[str, str]
    loss: str
    primary_metric: str
    score_range: tuple[float, float] | None = None
    range_option: str = "--score-range"
    name: str = "similarity"
    noun: str = "test pair"
    labels: tuple[str, ...] = ()
    margin: float = 0.01
    remarks: tuple[str, ...] = ()
    head: str = "encoder"
    pipeline_tag: str = "sentence-similarity"

    @classmethod
    def for_table(cls, table: Table, recipe: Recipe) -> Similarity:
        """Return the task for the columns of a table.

        Raises:
            DataError: a named column is not there, or none has a usual name.
            UsageError: the loss or the metric does not go with the columns.
        """
        columns = find_columns(table, recipe)
        scored = "similarity" in columns
        loss = recipe.training.loss
        if loss == "auto":
            loss = "angular_mse" if scored else "multiple_negatives_ranking"
        if (loss == "multiple_negatives_ranking") == scored:
            needs = "pairs without scores (--anchor, --positive)" if scored else "scored pairs (--similarity)"
            raise UsageError(f"--loss {loss} learns from {needs}; {table.path} holds {', '.join(columns.values())}")
        metrics = SCORED_METRICS if scored else correlation.RETRIEVAL_METRICS
        metric = recipe.evaluation.primary_metric or ("pearson" if scored else "mrr")
        if scored and metric == "spearman":
            raise UsageError("--primary-metric spearman: its ranks are not drawn anew, so it describes; use pearson")
        if loss in WHOLE_BATCH and recipe.training.batch_size == 1:
            raise UsageError(f"--loss {loss} learns from the other pairs of a batch; use --batch-size 2 or more")
        if metric not in metrics:
            raise UsageError(f'--primary-metric "{metric}" is not measured on this data; {nearest(metric, metrics)}')
        return cls(columns, loss, metric, recipe.columns.score_range)

    @property
    def scored(self) -> bool:
        """Whether the pairs carry scores."""
        return "similarity" in self.columns

    @property
    def kind(self) -> str:
        """How two embeddings are compared: "angular" under the angular loss, else "cosine"."""
        return "angular" if self.loss == "angular_mse" else "cosine"

    @property
    def in_batch_negatives(self) -> bool:
        """Whether the other pairs of a batch are what is learned from."""
        return self.loss == "multiple_negatives_ranking"

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """Every metric by name, as a function of summed statistics."""
        return SCORED_METRICS if self.scored else correlation.RETRIEVAL_METRICS

    @property
    def greater_is_better(self) -> Mapping[str, bool]:
        """Which metrics are better the greater they are."""
        return correlation.GREATER_IS_BETTER

    @property
    def loss_metric(self) -> str | None:
        """The mean squared error, where that is what is minimized."""
        return "mse" if self.loss in ("angular_mse", "cosine_mse") else None

    @property
    def text_columns(self) -> tuple[str, ...]:
        """The columns of the texts, side by side."""
        parts = ("text_1", "text_2") if self.scored else ("anchor", "positive", "negative")
        return tuple(self.columns[part] for part in parts if part in self.columns)

    def settled(self, parts: Mapping[str, Sequence[Example]], checkpoint: Checkpoint | None) -> Similarity:
        """Return the task as it is: it takes nothing from the splits."""
        return self

    def on(self, examples: Sequence[Example], *, choosing: bool = False) -> Similarity:
        """Return the task itself: it is measured alike on any examples."""
        return self

    def trained_with(self, seed: int) -> Similarity:
        """Return the task as it is: nothing of it is random."""
        return self

    def settings(self) -> dict[str, Any]:
        """Return what a saved model must know: the task and how two embeddings are compared."""
        return {"task": self.name, "similarity": self.kind}

    def understood(self) -> str:
        """Say in one sentence how the file was understood."""
        texts = " and ".join(f'"{column}"' for column in self.text_columns[:2])
        if self.scored:
            scale = "{:g} to {:g}".format(*self.score_range) if self.score_range else "0 to 1"
            what = f'scored pairs of texts, {texts}, similarity in "{self.columns["similarity"]}" from {scale}'
        else:
            what = f"pairs of texts that belong together, {texts}"
            if "negative" in self.columns:
                what += f', with a text that does not in "{self.columns["negative"]}"'
        return what + (f', kept together by "{self.columns["group"]}"' if "group" in self.columns else "")

    def read(self, table: Table) -> Examples:
        """Return the pairs of a table; rows with an empty text are set aside and named."""
        examples: list[Example] = []
        empty: list[int] = []
        for row in table.rows:
            texts = tuple(text(table, row, column) for column in self.text_columns)
            written = self._written(table, row) if self.scored else None
            if not all(side.strip() for side in texts):
                empty.append(row.number)
                continue
            score = None if written is None else self._score(written)
            own = group(table, row, self.columns.get("group"))
            examples.append(Example(row.number, texts, score, own, written=written))
        if self.scored and len(examples) > 1 and len({example.score for example in examples}) == 1:
            problem = (
                f"holds {examples[0].score:g} in every row; expected scores that differ, or nothing can be learned"
            )
            raise DataError.at(table.path, problem, column=self.columns["similarity"])
        return Examples(examples, {"empty text": empty} if empty else {})

    def _written(self, table: Table, row: Row) -> float:
        """Return a row's score as the file has it."""
        column = self.columns["similarity"]
        value = number(table, row, column)
        low, high = self.score_range or (0.0, 1.0)
        if not low <= value <= high:
            rescale = (
                ""
                if self.score_range
                else f"; for another scale add {self.range_option} LOW,HIGH, LOW meaning unrelated"
            )
            problem = f"holds {value:g}; expected a number from {low:g} to {high:g}{rescale}"
            raise DataError.at(table.path, problem, row=row.number, column=column)
        return value

    def _score(self, written: float) -> float:
        """Return a score on the scale of the similarity: an unrelated pair at 0.5 under the angular loss."""
        if self.score_range is None:
            return written
        low, high = self.score_range
        share = (written - low) / (high - low)
        return 0.5 + share / 2 if self.kind == "angular" else share

    def tokenize(self, examples: Sequence[Example], tokenizer: Tokenizer, padding: int) -> PairRows:
        """Tokenize every distinct text once."""
        places: dict[str, int] = {}
        sides = [[places.setdefault(side, len(places)) for side in example.texts] for example in examples]
        scores = [np.nan if example.score is None else example.score for example in examples]
        texts = tokenize(list(places), tokenizer)
        return PairRows(texts, np.array(sides, np.int64), np.array(scores, np.float64), padding)

    def collate(
        self, rows: PairRows, items: NDArray[np.int64], occasion: Occasion, *, epoch: int = 0
    ) -> tuple[Batch, float]:
        """Return pairs ``(pairs, sides, length)`` to learn from, or texts ``(texts, 1, length)`` to measure."""
        sides = rows.sides[items] if occasion == "training" else items[:, None]
        input_ids, attention_mask = rows.texts.pad(sides, rows.padding)
        batch: dict[str, NDArray[Any]] = {"input_ids": input_ids, "attention_mask": attention_mask}
        if occasion == "training":
            batch["text_ids"] = sides
            batch["scores"] = rows.scores[items].astype(np.float32)
        return batch, 1.0 if self.loss == "cosent" else float(len(items))

    def reduce(self, batch: Batch, outputs: Batch) -> NDArray[np.float32]:
        """Keep the embedding of every text, ``(texts, dimensions)``."""
        return outputs["embeddings"][:, 0]

    def score(self, rows: PairRows, reduced: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the similarity of every pair, or the reciprocal rank of every anchor's positive, ``(pairs,)``."""
        if self.scored:
            return similarity(reduced[rows.sides[:, 0]], reduced[rows.sides[:, 1]], self.kind)
        return _reciprocal_ranks(reduced, rows.sides)

    def measure(self, rows: PairRows, predictions: NDArray[np.float64]) -> Measured:
        """Return the metrics of predictions, ``(pairs,)``, with the statistics they follow from."""
        if self.scored:
            values = correlation.pair_statistics(predictions, rows.scores)
            statistics = np.hstack([values, correlation.rank_statistics(predictions, rows.scores)])
        else:
            statistics = correlation.retrieval_statistics(predictions)
        sums = statistics.sum(0)
        scores = {name: float(metric(sums)) for name, metric in self.metrics.items()}
        # A metric that is not defined on these pairs, such as a percentage of scores that are all 0, is left out.
        return Measured(predictions, statistics, {name: value for name, value in scores.items() if np.isfinite(value)})

    def discordant(self, before: Measured, after: Measured) -> int | None:
        """Return None: a similarity is not right or wrong."""
        return None

    def too_rare(self, metric: str, measured: Measured, units: PairUnits) -> RareClass | None:
        """Return None: a similarity has no classes."""
        return None

    def line(self, example: Example, before: Any, after: Any) -> dict[str, Any]:
        """Return the texts of one example, its score where it has one, and the two predictions."""
        names = ("text_1", "text_2") if self.scored else ("anchor", "positive", "negative")
        score = {} if example.score is None else {"similarity": example.score}
        predictions = {"before": round(float(before), 6), "after": round(float(after), 6)}
        return {**dict(zip(names, example.texts, strict=False)), **score, **predictions}

    def baselines(self, train: Split, test: Split) -> dict[str, NDArray[np.float64]]:
        """Return what TF-IDF over character 1- to 4-grams, weighted on the training texts, predicts for the test."""
        vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True)
        vectorizer.fit(sorted({side for example in train.examples for side in example.texts}))
        places: dict[str, int] = {}
        sides = np.array([[places.setdefault(side, len(places)) for side in e.texts] for e in test.examples], np.int64)
        vectors: Any = vectorizer.transform(list(places))
        if not self.scored:
            return {"TF-IDF": _reciprocal_ranks(vectors, sides)}
        cosine = np.asarray(vectors[sides[:, 0]].multiply(vectors[sides[:, 1]]).sum(1), np.float64).ravel()
        return {"TF-IDF": angular_similarity(cosine) if self.kind == "angular" else cosine}

    def exhibits(self, test: Split, titles: list[str] | None, before: Side, after: Side) -> dict[str, Any]:
        """Return the similarities of some titles with each other, before and after."""
        titles = titles or pick_titles(test.examples)
        if len(titles) < 2:
            return {"heat_map": None}
        matrices = {
            name: similarity_matrix(side.encode(titles), self.kind)
            for name, side in (("before", before), ("after", after))
        }
        return {"heat_map": {"titles": titles, **{name: m.round(6).tolist() for name, m in matrices.items()}}}


def similarity_matrix(embeddings: NDArray[np.floating[Any]], kind: str) -> NDArray[np.float64]:
    """Return the similarity of every embedding with every other, ``(texts, texts)``."""
    count = len(embeddings)
    rows, columns = np.divmod(np.arange(count * count), count)
    return similarity(embeddings[rows], embeddings[columns], kind).reshape(count, count)


def pick_titles(examples: Sequence[Example]) -> list[str]:
    """Pick up to eight short texts for a heat map: the most similar pairs, each pair of another group or text."""
    titles: list[str] = []
    groups: set[str | None] = set()
    for example in sorted(examples, key=lambda example: -(example.score or 0.0)):
        pair = example.texts[:2]
        new_group = example.group is None or example.group not in groups
        if new_group and not set(pair) & set(titles) and max(map(len, pair)) <= LONGEST_TITLE and len(set(pair)) == 2:
            titles += pair
            groups.add(example.group)
        if len(titles) == MOST_TITLES:
            break
    return titles


def _reciprocal_ranks(embeddings: Any, sides: NDArray[np.int64]) -> NDArray[np.float64]:
    """Rank every anchor's positive among the distinct positives and negatives of the set, by cosine.

    ``embeddings (texts, dimensions)`` may be sparse. Other positives of the same anchor, and the anchor itself, are no
    wrong answers and are left out of its candidates.
    """
    candidates, columns = np.unique(sides[:, 1:], return_inverse=True)
    positives = columns.reshape(len(sides), -1)[:, 0]
    place_of = {text: place for place, text in enumerate(candidates.tolist())}
    belongs: dict[int, set[int]] = {}
    for anchor, positive in zip(sides[:, 0].tolist(), positives.tolist(), strict=True):
        itself = {place_of[anchor]} if anchor in place_of else set[int]()
        belongs.setdefault(anchor, itself).add(positive)
    vectors: Any = sklearn_normalize(embeddings)
    ranks: list[NDArray[np.float64]] = []
    for start in range(0, len(sides), CHUNK):
        anchors, own = sides[start : start + CHUNK, 0], positives[start : start + CHUNK]
        product = vectors[anchors] @ vectors[candidates].T
        similarities = np.asarray(product.todense() if issparse(product) else product, np.float64)
        for place, (anchor, positive) in enumerate(zip(anchors.tolist(), own.tolist(), strict=True)):
            similarities[place, list(belongs[anchor] - {positive})] = -np.inf
        ranks.append(correlation.reciprocal_ranks(similarities, own))
    return np.concatenate(ranks)


def find_columns(table: Table, recipe: Recipe) -> dict[str, str]:
    """Return which column plays which part, the named ones first, the rest by their usual names.

    Raises:
        DataError: a named column is not there, or the parts do not make pairs.
    """
    named = {part: name for part, name in recipe.columns.model_dump().items() if name and part in USUAL_NAMES}
    for name in named.values():
        if name not in table.columns:
            raise column_error(table, name)
    found: dict[str, str] = {}
    for part, usual in USUAL_NAMES.items():
        free = [column for column in table.columns if column not in named.values()]
        known = [column for name in usual for column in free if column.strip().lower() == name]
        if part in named or known:
            found[part] = named.get(part) or known[0]
    unused = set(named) - {"group"} - set(_parts(found, named))
    if unused and _parts(found, named):
        listed = " and ".join(f"--{part.replace('_', '-')}" for part in sorted(unused))
        raise UsageError(
            f"{listed}: pairs are either scored (--text-1, --text-2, --similarity) or belong together (--anchor, "
            "--positive, --negative); name the parts of one kind"
        )
    kept_together = {"group": found["group"]} if "group" in found else {}
    if parts := _parts(found, named):
        chosen = {part: found[part] for part in parts}
        if len(set(chosen.values())) < len(chosen):
            raise UsageError(f"one column of {table.path} is named for two parts: {', '.join(chosen.values())}")
        return chosen | kept_together
    missing = next(part for part in ("text_1", "text_2", "similarity") if part not in found)
    listed = ", ".join(f'"{column}"' for column in table.columns)
    if len(table.columns) == 1:
        raise column_error(table, missing)
    close = nearest(missing, table.columns).split("?")[0]
    meant = f"; {close}?" if close.startswith("did") else ""
    raise DataError.at(
        table.path,
        f"no column is called {missing} or a usual name for it{meant}; the columns are {listed}; name the parts with "
        "--text-1, --text-2 and --similarity, with --anchor and --positive for pairs without scores, or with --text "
        "and --label for labelled texts",
    )


def _parts(found: Mapping[str, str], named: Mapping[str, str]) -> tuple[str, ...]:
    """Return which parts make the pairs: those of scored pairs, or of pairs that belong together; none if neither."""
    if {"text_1", "text_2", "similarity"} <= set(found) and not {"anchor", "positive"} & set(named):
        return ("text_1", "text_2", "similarity")
    if {"anchor", "positive"} <= set(found):
        return tuple(part for part in ("anchor", "positive", "negative") if part in found)
    return ()
