"""The cheap baseline for labelled texts."""

from __future__ import annotations

import numpy as np

from homeground.tasks.classification.bag_of_words import tf_idf


def test_tf_idf_learns_words_and_characters() -> None:
    for texts in (["good film", "bad film"], ["味道很好", "味道很坏"]):
        truth = np.tile(np.eye(2, dtype=np.int64), (20, 1))
        predictions = tf_idf(texts * 20, truth, texts, several=False)
        assert predictions.argmax(1).tolist() == [0, 1]
        assert np.allclose(predictions.sum(1), 1)
