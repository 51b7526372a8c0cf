"""The models on disk: the adapted one and its alternatives, and the proof that what was written is what was measured.

model/      the adapted model in the Hugging Face layout
before/     the checkpoint with the head that was fitted to it, in the same layout; a checkpoint that has its head
            is there already, so nothing is copied
baseline/   the bag of words that the adapted model is not shown to beat
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from homeground.checkpoint import open_checkpoint, write_modules, write_tokenizer
from homeground.engines import open_engine
from homeground.engines.model import KeepsAdapters, Model, classifier_head
from homeground.errors import HomegroundError
from homeground.experiment.setup import Setup
from homeground.experiment.training_run import BaselineModel
from homeground.memory import in_parts
from homeground.results.run import ADAPTER, BASELINE, BEFORE, Run
from homeground.results.scores import Scores
from homeground.storage import new_folder
from homeground.tasks.task import KeepsBaseline
from homeground.training.events import Notice, OnEvent

BEFORE_CARD = """# The model before

{} with the head that was fitted to the training examples while all its other weights stayed as they were. This is what
the run beside it calls "before": use it where adapting the whole model did not help.
"""

BASELINE_CARD = """# A bag of words

A logistic regression on words and characters (TF-IDF), which the adapted model of the run beside it is not shown to
beat. Use it with Homeground: `homeground predict`, `evaluate`, `compare`, or `homeground.load` in Python. It needs no
network and no GPU. Its probabilities are those of one regression a class; where each text has one label they are
divided by their sum.
"""

ADAPTER_CARD = """# The adapters

What the run beside it has learned, apart from the model: low-rank adapters for {} and, where it has a new head, this.
The model in model/ has them in its weights already and needs nothing else. With peft:

```python
from peft import PeftModel

model = PeftModel.from_pretrained(checkpoint, "adapter")  # the checkpoint, opened with transformers
```
"""

MAX_ITEMS_COMPARED = 32
"""Test items whose outputs the reloaded model must repeat."""


def save_model(model: Model, setup: Setup, folder: Path, *, card: str, settings: Mapping[str, Any]) -> None:
    """Write weights, tokenizer, settings and model card; then open the folder anew and compare answers.

    ``settings`` is what homeground.json must say besides the settings of the task.

    Raises:
        HomegroundError: the reloaded model answers otherwise than the one in memory.
    """
    info = setup.task.info
    with new_folder(folder) as temporary:
        model.save(temporary)
        write_tokenizer(setup.checkpoint, temporary)
        saved: dict[str, Any] = {"version": 1, **info.saved_settings, "columns": dict(info.columns), **settings}
        if setup.cleaner and info.cleaning != "training":
            saved["cleaning"] = setup.cleaner.settings()
        if setup.checkpoint.is_saved_model:
            saved["max_length"] = setup.max_length
        else:
            for name in info.model_files:
                saved |= MODEL_FILES[name](temporary, setup)
        _write(temporary / "homeground.json", saved)
        (temporary / "README.md").write_text(card, encoding="utf-8")
    _check(model, setup, folder)


def save_adapters(model: Model, setup: Setup, run: Run, on_event: OnEvent) -> None:
    """Keep the adapters that the weights of the saved model hold, where it learned with some."""
    if setup.recipe.training.lora is None or not isinstance(model, KeepsAdapters):
        return
    folder, name = run.folder / ADAPTER, setup.checkpoint.name
    with new_folder(folder) as temporary:
        model.save_adapters(temporary, checkpoint=name)
        (temporary / "README.md").write_text(ADAPTER_CARD.format(name), encoding="utf-8")
    on_event(Notice(f"model/ is whole; its adapters alone are in {ADAPTER}/ ({_megabytes(folder)}), for peft"))


def save_alternatives(run: Run, setup: Setup, before: BaselineModel, scores: Scores, on_event: OnEvent) -> None:
    """Keep what may be used instead of the adapted model, and report what it takes on the disk.

    Raises:
        HomegroundError: what was saved answers otherwise than what was measured.
    """
    if not setup.recipe.evaluation.alternatives:
        return
    kept: list[Path] = []
    if before.head is not None:
        kept.append(run.folder / BEFORE)
        calibration = before.calibration
        if calibration is not None and calibration.temperature != 1:
            # It was measured with its temperature; its weights are needed no more to train from.
            classifier_head(before.model).scale_logits(1 / calibration.temperature)
        save_model(before.model, setup, kept[-1], card=BEFORE_CARD.format(setup.checkpoint.name), settings={})
    best = scores.baseline_difference and scores.baseline_difference.name
    task, beaten = setup.task, scores.baseline_standing == "BEATS"
    if isinstance(task, KeepsBaseline) and best == task.kept_baseline and not beaten:
        kept.append(run.folder / BASELINE)
        _save_baseline(setup, task, scores, kept[-1])
    if kept:
        sizes = " and ".join(f"{folder.name}/ ({_megabytes(folder)})" for folder in kept)
        on_event(Notice(f"kept beside model/ ({_megabytes(run.model_folder)}): {sizes}; not with --no-alternatives"))


def _save_baseline(setup: Setup, task: KeepsBaseline, scores: Scores, folder: Path) -> None:
    fitted, examples = task.fit_baseline(setup.splits.kept.train), setup.test_examples.examples
    predictions = fitted.predict(examples)
    with new_folder(folder) as temporary:
        fitted.save(temporary)
        info = setup.task.info
        saved = {"version": 1, **info.saved_settings, "columns": dict(info.columns)}
        _write(temporary / "homeground.json", saved)
        (temporary / "README.md").write_text(BASELINE_CARD, encoding="utf-8")
    again = task.read_baseline(folder).predict(examples)
    # Cross-fitted, what was measured are the baselines of the folds.
    measured = scores.baselines[task.kept_baseline]
    as_measured = setup.corpus.folds is not None or setup.test.measure_predictions(predictions).scores == measured
    if not (as_measured and np.array_equal(again, predictions)):
        raise HomegroundError(
            f"{folder}: the saved baseline answers otherwise than the one that was measured; report this"
        )


def _megabytes(folder: Path) -> str:
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    return f"{size:,.0f} MB" if size >= 1 else "below 1 MB"


def _write_for_sentence_transformers(folder: Path, setup: Setup) -> dict[str, Any]:
    """Write what sentence-transformers reads besides the modules."""
    _write(folder / "sentence_bert_config.json", {"max_seq_length": setup.max_length, "do_lower_case": False})
    _write(
        folder / "config_sentence_transformers.json",
        {
            "__version__": {name: version(name) for name in ("transformers", "torch")},
            "model_type": "SentenceTransformer",
            "prompts": {},
            "default_prompt_name": None,
            "similarity_fn_name": "cosine",
        },
    )
    return {}


def _limit_tokenizer(folder: Path, setup: Setup) -> dict[str, Any]:
    """Let transformers cut texts where they were cut in training, once asked to cut."""
    path = folder / "tokenizer_config.json"
    settings: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    _write(path, {**settings, "model_max_length": setup.max_length})
    return {"max_length": setup.max_length}


def _copy_modules(folder: Path, setup: Setup) -> dict[str, Any]:
    """Write the sentence-transformers modules of the checkpoint, where it has some."""
    write_modules(setup.checkpoint, folder)
    return {}


MODEL_FILES: dict[str, Callable[[Path, Setup], dict[str, Any]]] = {
    "sentence_transformers": _write_for_sentence_transformers,
    "tokenizer_limit": _limit_tokenizer,
    "checkpoint_modules": _copy_modules,
}
"""What a task may want saved beside the weights; each returns what it adds to homeground.json."""


def _check(model: Model, setup: Setup, folder: Path) -> None:
    rows = setup.test.rows
    items = np.arange(min(MAX_ITEMS_COMPARED, len(rows.lengths("measuring"))))
    checkpoint = open_checkpoint(str(folder), trust_saved_model=setup.recipe.encoder.trust_saved_model)
    reloaded = open_engine(setup.recipe.engine).open_model(checkpoint, head=setup.task.info.head)

    def is_same(part: NDArray[np.int64]) -> bool:
        batch, _ = setup.test.task.collate(rows, part, "measuring")
        expected, got = model.predict(batch), reloaded.predict(batch)
        return all(np.array_equal(expected[name], got[name]) for name in expected)

    if not all(same for _, same in in_parts(items, is_same)):
        raise HomegroundError(
            f"{folder}: the saved model answers otherwise than the one that was measured; report this"
        )


def _write(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
