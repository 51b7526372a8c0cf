"""SavedModels of Universal Sentence Encoder's kind, built in a second: strings in, vectors out."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

SIZE, BUCKETS = 16, 64


def _tensorflow() -> Any:
    from homeground.engines.keras.framework import tf

    return tf


def hashing(
    folder: Path, *, outputs: str = "tensor", trainable: bool = True, forbidden: str = "", own_gradient: bool = False
) -> Path:
    """Save an encoder that averages the vectors of hashed words, then a dense layer.

    ``outputs`` is what a call returns: a tensor, or a dictionary; "signature" leaves only a signature to call.
    ``forbidden`` adds an operation that reads or writes a file of this name.
    """
    tf = _tensorflow()

    class Hashing(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            random = tf.random.Generator.from_seed(0)
            self.table = tf.Variable(random.normal((BUCKETS, SIZE)), trainable=trainable, name="table")
            self.weight = tf.Variable(random.normal((SIZE, SIZE)) / 4, trainable=trainable, name="weight")

        def vectors(self, texts: Any) -> Any:
            words = tf.strings.split(tf.strings.lower(texts))
            found = tf.ragged.map_flat_values(
                lambda each: tf.gather(self.table, tf.strings.to_hash_bucket_fast(each, BUCKETS)), words
            )
            vectors = tf.tanh(tf.matmul(tf.reduce_mean(found, 1), self.weight))
            if own_gradient:
                vectors = _with_own_gradient(vectors, canary=f"{folder}.canary" if forbidden == "gradient" else "")
            if forbidden == "read":
                vectors += tf.cast(tf.strings.length(tf.io.read_file("/etc/hostname")), tf.float32) * 0
            elif forbidden == "write":
                with tf.control_dependencies([tf.io.write_file(str(folder) + ".canary", texts[0])]):
                    vectors = tf.identity(vectors)
            return vectors

    module = Hashing()
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=True)
    signature = [tf.TensorSpec([None], tf.string)]
    if outputs == "signature":
        call = tf.function(lambda texts: {"embeddings": module.vectors(texts)}, input_signature=signature)
        tf.saved_model.save(module, str(folder), signatures=call.get_concrete_function())
        return folder
    returns = {"tensor": lambda each: each, "dictionary": lambda each: {"default": each, "words": each * 2}}[outputs]

    class Callable(Hashing):
        @tf.function(input_signature=signature)
        def __call__(self, texts: Any) -> Any:
            return returns(self.vectors(texts))

    tf.saved_model.save(Callable(), str(folder), options=options)
    return folder


def _with_own_gradient(vectors: Any, *, canary: str) -> Any:
    """Return the vectors as they are, with a gradient that the program defines; one with a canary writes a file."""
    tf = _tensorflow()

    @tf.custom_gradient
    def same(values: Any) -> Any:
        def gradient(upstream: Any) -> Any:
            if canary:
                with tf.control_dependencies([tf.io.write_file(canary, "written")]):
                    return tf.identity(upstream)
            return upstream * 1.0

        return tf.identity(values), gradient

    return same(vectors)


def counting(folder: Path) -> Path:
    """Save a program that takes numbers instead of strings."""
    tf = _tensorflow()

    class Counting(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = tf.Variable(tf.ones((1, SIZE)))

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
        def __call__(self, numbers: Any) -> Any:
            return numbers[:, None] * self.weight

    tf.saved_model.save(Counting(), str(folder))
    return folder


def vocabulary(folder: Path) -> Path:
    """Save an encoder that looks its words up in a file among its assets."""
    tf = _tensorflow()
    words = folder.parent / "words.txt"
    words.write_text("bank\nmoney\nriver\nnurse\ndoctor\n")

    class Vocabulary(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            initializer = tf.lookup.TextFileInitializer(
                str(words), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
            )
            self.words = tf.lookup.StaticVocabularyTable(initializer, 1)
            self.table = tf.Variable(tf.random.Generator.from_seed(0).normal((6, SIZE)))

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def __call__(self, texts: Any) -> Any:
            ids = tf.ragged.map_flat_values(self.words.lookup, tf.strings.split(texts))
            return tf.reduce_mean(tf.ragged.map_flat_values(lambda each: tf.gather(self.table, each), ids), 1)

    tf.saved_model.save(Vocabulary(), str(folder))
    words.unlink()
    return folder


def sentence_pieces(folder: Path, texts: list[str]) -> Path:
    """Save an encoder with SentencePiece inside, its model trained on ``texts``, as the multilingual encoder has."""
    import sentencepiece
    import tensorflow_text

    tf = _tensorflow()
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts), model_writer=model, vocab_size=60, hard_vocab_limit=False, minloglevel=2
    )

    class Pieces(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tokenizer = tensorflow_text.SentencepieceTokenizer(model=model.getvalue())
            self.table = tf.Variable(tf.random.Generator.from_seed(0).normal((BUCKETS * 2, SIZE)))

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def __call__(self, texts: Any) -> Any:
            ids = self.tokenizer.tokenize(texts)
            return tf.reduce_mean(tf.ragged.map_flat_values(lambda each: tf.gather(self.table, each), ids), 1)

    tf.saved_model.save(Pieces(), str(folder))
    return folder
