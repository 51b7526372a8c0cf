"""The trainings that are compared: a body of transformers after so many steps, and the seconds that these took.

PyTorch is imported by the candidates alone, for how its threads wait is read as it is loaded.
"""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from benchmarks.peers.data import checkpoint_in, minilm, read

LENGTH = 128
"""Tokens that a text is cut to, and tokens of a block of masked words."""

BATCH_SIZES = {"similarity": 32, "classification": 16, "token-classification": 16, "mlm": 16}

Trained = tuple[float, Any]
"""Seconds of the steps after the first one, and the body that was trained."""

Training = Callable[[Path, int], Trained]


def ours(task_name: str, **settings: Any) -> Training:
    """Return this library's loop, with settings of a recipe."""

    def train(folder: Path, steps: int) -> Trained:
        from homeground.checkpoint import load_tokenizer, open_checkpoint, padding_id
        from homeground.data.corpus import read_file
        from homeground.data.tokens.tokenized import TextTokens
        from homeground.engines import open_engine
        from homeground.recipe.recipe import make_recipe
        from homeground.tasks import choose_task
        from homeground.training.batching import epoch_batches

        size, data = BATCH_SIZES[task_name], str(folder / "data.jsonl")
        recipe = make_recipe({}, data=data, task=task_name, batch_size=size, **settings)
        checkpoint = open_checkpoint(checkpoint_in(folder))
        table = read_file(data, recipe)
        spec = choose_task(table, recipe)
        examples = spec.read(table).examples
        task = spec.with_splits({"train": examples, "validation": [], "test": []}, checkpoint)
        longest = checkpoint.max_length if task_name == "similarity" else LENGTH
        tokenizer = load_tokenizer(checkpoint, max_length=longest)
        rows = task.tokenize(examples, TextTokens(tokenizer, padding_id(checkpoint, tokenizer)))
        model: Any = open_engine("torch").open_model(
            checkpoint, head=task.info.head, loss=task.info.loss, labels=task.labels, training=recipe.training
        )
        lengths, by_length = rows.lengths("training"), task_name != "mlm"
        epochs = (
            epoch_batches(lengths, size, seed=0, epoch=epoch, group_by_length=by_length) for epoch in itertools.count()
        )
        batches = (items for epoch in epochs for items in epoch if len(items) == size)
        began = 0.0
        for step in range(steps + 1):
            batch, denominator = task.collate(rows, next(batches), "training")
            model.train_step(batch, denominator, 5e-5, step)
            began = began or time.perf_counter()
        return time.perf_counter() - began, model.body

    return train


def sentence_transformers(**flags: Any) -> Training:
    """Return the trainer of sentence-transformers on scored pairs."""

    def train(folder: Path, steps: int) -> Trained:
        from datasets import Dataset
        from sentence_transformers import (
            SentenceTransformer,
            SentenceTransformerTrainer,
            SentenceTransformerTrainingArguments,
        )
        from sentence_transformers.losses import CosineSimilarityLoss

        model = SentenceTransformer(minilm())
        rows = [(row["text_1"], row["text_2"], row["similarity"]) for row in read(folder)]
        data = Dataset.from_dict(dict(zip(("sentence1", "sentence2", "score"), zip(*rows, strict=True), strict=True)))
        made = {"model": model, "train_dataset": data, "loss": CosineSimilarityLoss(model)}
        arguments = SentenceTransformerTrainingArguments
        return _timed(SentenceTransformerTrainer, arguments, "similarity", steps, flags, made), model[0].auto_model

    return train


def trainer(task_name: str, *, padding: bool | str = False, **flags: Any) -> Training:
    """Return transformers' Trainer as its example scripts use it, with flags of theirs."""

    def train(folder: Path, steps: int) -> Trained:
        from datasets import Dataset
        from transformers import AutoTokenizer, Trainer, TrainingArguments

        tokenizer = AutoTokenizer.from_pretrained(checkpoint_in(folder))
        columns, model, collator = PREPARED[task_name](folder, tokenizer, padding)
        made = {"model": model, "train_dataset": Dataset.from_dict(columns), "data_collator": collator}
        return _timed(Trainer, TrainingArguments, task_name, steps, flags, made), model

    return train


def keras_fit(folder: Path, steps: int) -> Trained:
    """Train a classifier of KerasHub by ``fit``, all texts padded to the longest, with Adam, as Keras users do."""
    import keras
    import keras_hub
    import tensorflow as tf
    from transformers import AutoTokenizer

    encoded, labels, classes = _encoded(folder, AutoTokenizer.from_pretrained(minilm()), padding=True)
    backbone = keras_hub.models.Backbone.from_preset(minilm())
    model = keras_hub.models.BertTextClassifier(backbone=backbone, num_classes=classes, preprocessor=None)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(5e-5), loss=loss, metrics=["accuracy"])

    class Clock(keras.callbacks.Callback):
        """Starts when the first step is over."""

        began = 0.0

        def on_train_batch_end(self, *_: Any, **__: Any) -> None:
            """Note the time after the first step."""
            self.began = self.began or time.perf_counter()

    clock, inputs = Clock(), _as_keras_hub_names(encoded)
    rows = tf.data.Dataset.from_tensor_slices((inputs, labels)).shuffle(len(labels), seed=0).repeat()
    batches = rows.batch(BATCH_SIZES["classification"]).prefetch(1)
    model.fit(batches, epochs=1, steps_per_epoch=steps + 1, callbacks=[clock], verbose=0)
    return time.perf_counter() - clock.began, _KerasBody(model)


def _as_keras_hub_names(encoded: Any) -> dict[str, Any]:
    names = {"token_ids": "input_ids", "segment_ids": "token_type_ids", "padding_mask": "attention_mask"}
    return {name: np.asarray(encoded[theirs], np.int32) for name, theirs in names.items()}


class _KerasBody:
    """A classifier of KerasHub that is called as one of transformers is, to be measured."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def float(self) -> _KerasBody:
        """Return itself: it computes in float32."""
        return self

    def eval(self) -> _KerasBody:
        """Return itself: ``predict_on_batch`` drops nothing."""
        return self

    def __call__(self, **encoded: Any) -> Any:
        """Return the logits of a batch."""
        import torch

        logits = self.model.predict_on_batch(_as_keras_hub_names(encoded))
        return SimpleNamespace(logits=torch.from_numpy(np.asarray(logits)))


def _encoded(folder: Path, tokenizer: Any, padding: bool | str) -> tuple[Any, list[int], int]:
    """Return the encoded texts, the numbers of their labels, and how many labels there are."""
    rows = read(folder)
    labels = sorted({row["label"] for row in rows})
    encoded = tokenizer([row["text"] for row in rows], padding=padding, truncation=True, max_length=LENGTH)
    return encoded, [labels.index(row["label"]) for row in rows], len(labels)


def _labelled(folder: Path, tokenizer: Any, padding: bool | str) -> tuple[dict[str, Any], Any, Any]:
    from transformers import AutoModelForSequenceClassification, DataCollatorWithPadding

    encoded, labels, classes = _encoded(folder, tokenizer, padding)
    model = AutoModelForSequenceClassification.from_pretrained(minilm(), num_labels=classes)
    return {**encoded, "labels": labels}, model, DataCollatorWithPadding(tokenizer)


def _tagged(folder: Path, tokenizer: Any, padding: bool | str) -> tuple[dict[str, Any], Any, Any]:
    from transformers import AutoModelForTokenClassification, DataCollatorForTokenClassification

    rows = read(folder)
    names = sorted({tag for row in rows for tag in row["tags"]})
    encoded = tokenizer(
        [row["tokens"] for row in rows], is_split_into_words=True, padding=padding, truncation=True, max_length=LENGTH
    )
    # As run_ner has it, the first token of a word has its label.
    labels = [
        [
            -100 if word is None or word == last else names.index(row["tags"][word])
            for word, last in itertools.pairwise([None, *encoded.word_ids(number)][::-1])
        ][::-1]
        for number, row in enumerate(rows)
    ]
    model = AutoModelForTokenClassification.from_pretrained(minilm(), num_labels=len(names))
    return {**encoded, "labels": labels}, model, DataCollatorForTokenClassification(tokenizer)


def _masked(folder: Path, tokenizer: Any, _padding: bool | str) -> tuple[dict[str, Any], Any, Any]:
    from transformers import AutoModelForMaskedLM, DataCollatorForLanguageModeling

    blocks = blocks_of([row["text"] for row in read(folder)], tokenizer)
    model = AutoModelForMaskedLM.from_pretrained(folder)
    return {"input_ids": blocks}, model, DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15)


PREPARED = {"classification": _labelled, "token-classification": _tagged, "mlm": _masked}


def blocks_of(texts: list[str], tokenizer: Any) -> list[list[int]]:
    """Return the tokens of texts in blocks of ``LENGTH``."""
    ids = [id for text in texts for id in tokenizer(text, add_special_tokens=False)["input_ids"]]
    room = LENGTH - 2
    starts = range(0, len(ids) - room + 1, room)
    return [[tokenizer.cls_token_id, *ids[start : start + room], tokenizer.sep_token_id] for start in starts]


def best_flags(**flags: Any) -> dict[str, Any]:
    """Return the flags that make a Trainer fast on this machine: bfloat16 where the processor has it."""
    fast = "avx512_bf16" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    return {"bf16": fast, "use_cpu": True, **flags}


def _timed(trainer: Any, arguments: Any, task: str, steps: int, flags: dict[str, Any], made: dict[str, Any]) -> float:
    """Return the seconds of so many steps of a Trainer after its first one."""
    from transformers import TrainerCallback

    class Clock(TrainerCallback):
        """Starts when the first step is over."""

        began = 0.0

        def on_step_end(self, _arguments: Any, state: Any, _control: Any, **_: Any) -> None:
            """Note the time after the first step."""
            if state.global_step == 1:
                self.began = time.perf_counter()

    clock = Clock()
    chosen = {"per_device_train_batch_size": BATCH_SIZES[task], "max_steps": steps + 1, "learning_rate": 5e-5}
    chosen |= {"lr_scheduler_type": "constant", "save_strategy": "no", "report_to": "none", "disable_tqdm": True}
    with tempfile.TemporaryDirectory() as out:
        trainer(args=arguments(output_dir=out, **chosen, **flags), callbacks=[clock], **made).train()
    return time.perf_counter() - clock.began


# ---- What was learned ------------------------------------------------------------------------------------------------


def scores(task_name: str, body: Any, folder: Path) -> list[float]:
    """Return a score of every held-out example, larger is better, computed in one way for all candidates."""
    import torch
    from transformers import AutoTokenizer

    body = body.float().eval()
    tokenizer = AutoTokenizer.from_pretrained(checkpoint_in(folder))
    with torch.inference_mode():
        return SCORES[task_name](body, tokenizer, read(folder, "held_out"), read(folder))


def _of_pairs(body: Any, tokenizer: Any, rows: list[Any], _learned: list[Any]) -> list[float]:
    import torch

    def embed(texts: list[str]) -> torch.Tensor:
        encoded = tokenizer(texts, padding=True, truncation=True, max_length=LENGTH, return_tensors="pt")
        mask = encoded["attention_mask"][..., None].float()
        return (body(**encoded)[0] * mask).sum(1) / mask.sum(1)

    found: list[float] = []
    for part in _parts(rows):
        cosine = torch.cosine_similarity(*(embed([row[name] for row in part]) for name in ("text_1", "text_2")))
        found += [-((float(value) - row["similarity"]) ** 2) for value, row in zip(cosine, part, strict=True)]
    return found


def _of_labels(body: Any, tokenizer: Any, rows: list[Any], learned: list[Any]) -> list[float]:
    labels = sorted({row["label"] for row in learned})
    found: list[float] = []
    for part in _parts(rows):
        texts = [row["text"] for row in part]
        encoded = tokenizer(texts, padding=True, truncation=True, max_length=LENGTH, return_tensors="pt")
        chosen = body(**encoded).logits.argmax(-1).tolist()
        found += [float(labels[number] == row["label"]) for number, row in zip(chosen, part, strict=True)]
    return found


def _of_tags(body: Any, tokenizer: Any, rows: list[Any], learned: list[Any]) -> list[float]:
    names = [body.config.id2label[number] for number in range(body.config.num_labels)]
    if names[0].startswith("LABEL_"):  # a Trainer is given the number of tags alone
        names = sorted({tag for row in learned for tag in row["tags"]})
    found: list[float] = []
    for row in rows:
        encoded = tokenizer(
            [row["tokens"]], is_split_into_words=True, truncation=True, max_length=LENGTH, return_tensors="pt"
        )
        chosen, words = body(**encoded).logits[0].argmax(-1).tolist(), encoded.word_ids(0)
        first = {word: token for token, word in reversed(list(enumerate(words))) if word is not None}
        right = [names[chosen[token]] == row["tags"][word] for word, token in first.items()]
        found.append(sum(right) / len(row["tags"]))
    return found


def _of_words(body: Any, tokenizer: Any, rows: list[Any], _learned: list[Any]) -> list[float]:
    import torch

    random = torch.Generator().manual_seed(0)
    found: list[float] = []
    for block in blocks_of([row["text"] for row in rows], tokenizer):
        ids = torch.tensor([block])
        masked = torch.rand(ids.shape, generator=random) < 0.15
        masked[0, 0] = masked[0, -1] = False
        masked[0, 1] = True
        logits = body(input_ids=torch.where(masked, tokenizer.mask_token_id, ids)).logits[masked]
        found.append(-float(torch.nn.functional.cross_entropy(logits, ids[masked])))
    return found


SCORES = {
    "similarity": _of_pairs,
    "classification": _of_labels,
    "token-classification": _of_tags,
    "mlm": _of_words,
}


def _parts(rows: list[Any]) -> list[list[Any]]:
    return [rows[start : start + 32] for start in range(0, len(rows), 32)]
