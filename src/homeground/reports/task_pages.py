"""The words of the report and the model card for each task: one entry of ``TASK_PAGES`` a task, by its name.

A task may also have sections of its own; these appear wherever the run has their data.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from homeground.results.record import RunRecord
from homeground.wording import as_markdown, count

PLACE = "path/to/this/model"
"""The path in the code that shows how to use a model; a published card has its name on the Hub instead."""

Snippets = list[tuple[str, str, str]]
"""Ways to use a model: where, the language of the code, and the code."""

MOST_CLASSES = 20
"""Up to this many classes are listed in a card; the config of the model has them all."""


@dataclass(frozen=True)
class TaskPage:
    """The words for one task; the defaults are those for a task that is not in the table.

    ``item`` is a test example, in the singular; ``label`` is what the scores are split by, and ``labelled`` what has a
    label, each as singular and plural; ``gold`` is the kind of target that could contradict itself, empty
    where there is none; ``length_note`` is a sentence about the maximum length, ``margin`` the allowed loss of general
    ability where neither run nor recipe has one. ``explanations`` are terms of "How to read this"; ``shown`` are the
    texts that are on the page. The rest is for the model card: the name of the task on the Hub and in the card, the
    library and the tags for the Hub, how to use the model, and ``notes`` on its use, in Markdown.
    """

    item: str = "example"
    label: tuple[str, str] = ("class", "classes")
    labelled: tuple[str, str] = ("text", "texts")
    gold: str = ""
    length_note: str = "The model reads at most {} of a text."
    margin: float = 0.01
    explanations: tuple[tuple[str, str], ...] = ()
    shown: str = "Test examples"
    hub_task: str = "feature-extraction"
    task_name: str = "Feature extraction"
    library: str = "transformers"
    tags: tuple[str, ...] = ()
    snippets: Callable[[RunRecord], Snippets] = lambda record: _snippets('"a text"', "", None)
    notes: Callable[[RunRecord], str] = lambda record: ""


def task_page(record: RunRecord) -> TaskPage:
    """Return the page of the record's task; where an example is two texts, it is called a pair."""
    page = TASK_PAGES.get(record.scores.task, TaskPage())
    page = as_saved_model(page) if record.checkpoint.saved_model else page
    return replace(page, item="pair", shown=PAIRS_SHOWN) if "text_1" in record.data.columns else page


PAIRS_SHOWN = "Texts of test pairs"


def _snippets(command: str, python: str, elsewhere: tuple[str, str] | None) -> Snippets:
    """Return how to use a model: on the command line, in Python and, where another library loads it, in that."""
    lines = [
        ("Command line", "console", f"$ homeground predict {PLACE} {command}"),
        ("Python", "python", f'import homeground\n\nmodel = homeground.load("{PLACE}")\n{python}'.strip()),
    ]
    return [*lines, *([(elsewhere[0], "python", elsewhere[1])] if elsewhere else [])]


def use_encoder() -> Snippets:
    """Return how to use an encoder, which sentence-transformers loads."""
    loaded = f'from sentence_transformers import SentenceTransformer\n\nmodel = SentenceTransformer("{PLACE}")\n'
    return _snippets(
        '"a text" "another text"',
        'model.similarity("a text", "another text")\nmodel.encode(["a text", "another text"])',
        ("sentence-transformers", loaded + 'embeddings = model.encode(["a text", "another text"])'),
    )


def use_classifier(record: RunRecord) -> Snippets:
    """Return how to use a classifier, which a pipeline of transformers loads."""
    paired = "text_1" in record.data.columns
    options = "top_k=None, truncation=True" if record.scores.several_labels else "truncation=True"
    texts = '["a text", "another text"]'
    asked = '[("a text", "another text")]' if paired else texts
    piped = '[{"text": "a text", "text_pair": "another text"}]' if paired else texts
    loaded = f'from transformers import pipeline\n\nclassify = pipeline("text-classification", model="{PLACE}")\n'
    return _snippets(
        "--input pairs.csv" if paired else '"a text"',
        f"model.predict({asked})",
        ("transformers", f"{loaded}classify({piped}, {options})"),
    )


def use_tagger() -> Snippets:
    """Return how to find entities, which a pipeline of transformers does too."""
    loaded = "from transformers import pipeline\n\n"
    loaded += f'find = pipeline("token-classification", model="{PLACE}", aggregation_strategy="simple")\n'
    return _snippets(
        '"a text"', 'model.entities(["a text", "another text"])', ("transformers", loaded + 'find("a text")')
    )


def use_masked() -> Snippets:
    """Return how to use a masked language model, which a pipeline of transformers loads."""
    loaded = f'from transformers import pipeline\n\nfill = pipeline("fill-mask", model="{PLACE}")\n'
    return _snippets(
        '"The [MASK] was late."',
        'model.fill_mask("The [MASK] was late.")',
        ("transformers", loaded + 'fill(f"The {fill.tokenizer.mask_token} was late.")'),
    )


ANGULAR = """The scores are computed with the angular similarity of two embeddings, `1 - arccos(cosine) / pi`.

"""

HEAD_AND_TAIL = """Homeground reads the beginning and the end of texts that are too long, as in training; the
pipeline reads only the beginning.

"""

SEVERAL_LABELS = """A text may have several labels, or none: those with a probability of at least 0.5.

"""

WINDOWS = """Homeground reads texts of any length, in windows that overlap; the pipeline cuts what is longer than the
model reads, unless it is given a `stride`.

"""

MASKED_NOTES = f"""It can also be the checkpoint of another task: `homeground adapt labelled.csv --checkpoint {PLACE}`.
Better prediction of words does not mean a better result on that task: only its own verdict shows that.

Losses and perplexities of masked words are comparable only between models with the same tokenizer.
"Perplexity as in tutorials" masks 80% of the selected tokens, replaces 10% and leaves 10% unchanged, so it is lower.

"""


SAVED_MODEL = """This model is a SavedModel of TensorFlow, and stays one: it is a program with weights and cannot be
turned into the layout of the Hub. Whoever loads a SavedModel runs it, so Homeground asks for `--trust-saved-model`.
"""


def use_saved_model() -> Snippets:
    """Return how to use a SavedModel, which TensorFlow loads."""
    loaded = f'import tensorflow as tf\n\nmodel = tf.saved_model.load("{PLACE}")\n'
    return [
        ("Command line", "console", f'$ homeground predict {PLACE} --trust-saved-model "a text" "another text"'),
        (
            "Python",
            "python",
            f'import homeground\n\nmodel = homeground.load("{PLACE}", trust_saved_model=True)\n'
            'model.similarity("a text", "another text")\nmodel.encode(["a text", "another text"])',
        ),
        ("TensorFlow", "python", loaded + 'embeddings = model(["a text", "another text"])'),
    ]


def as_saved_model(page: TaskPage) -> TaskPage:
    """Return the page of a task for a model that is a SavedModel."""
    return replace(
        page,
        library="tensorflow",
        tags=("saved-model", *(tag for tag in page.tags if tag != "sentence-transformers")),
        length_note="A SavedModel splits texts itself.",
        snippets=lambda record: use_saved_model(),
        notes=lambda record: SAVED_MODEL + page.notes(record),
    )


def _encoder_notes(record: RunRecord) -> str:
    angular = "pearson" in record.scores.after and record.setting("training", "loss") in ("auto", "angular_mse")
    return ANGULAR if angular else ""


def _tagger_notes(record: RunRecord) -> str:
    names = [as_markdown(name) for name in record.scores.classes]
    listed = f": {', '.join(names)}" if len(names) <= MOST_CLASSES else ""
    return f"It finds entities of {count(len(names), 'type')}{listed}.\n\n{WINDOWS}"


def _classifier_notes(record: RunRecord) -> str:
    scores = record.scores
    names = [as_markdown(name) for name in scores.classes]
    listed = f": {', '.join(names)}" if len(names) <= MOST_CLASSES else ""
    return (
        (f"It predicts {count(len(names), 'class', 'classes')}{listed}.\n\n" if names else "")
        + (SEVERAL_LABELS if scores.several_labels else "")
        + (HEAD_AND_TAIL if record.setting("encoder", "truncation") == "head_and_tail" else "")
    )


TASK_PAGES = {
    "similarity": TaskPage(
        item="pair",
        gold="scores",
        shown=PAIRS_SHOWN,
        hub_task="sentence-similarity",
        task_name="Similarity of pairs",
        library="sentence-transformers",
        tags=("sentence-transformers", "sentence-similarity", "feature-extraction"),
        snippets=lambda record: use_encoder(),
        notes=_encoder_notes,
    ),
    "classification": TaskPage(
        item="text",
        gold="labels",
        explanations=(
            (
                "F1",
                "Precision is the share of right predictions among all predictions of a class, recall the share of the "
                "texts of a class that are predicted as it. F1 is their harmonic mean: it is high only if both are.",
            ),
            (
                "Confidence",
                "The probability that the model gives its own prediction. It is well calibrated if 80% of the "
                "predictions with a confidence of 0.8 are right; then a threshold can decide which texts a person "
                "should check.",
            ),
        ),
        shown="Test texts",
        hub_task="text-classification",
        task_name="Text classification",
        tags=("text-classification",),
        snippets=use_classifier,
        notes=_classifier_notes,
    ),
    "token-classification": TaskPage(
        item="text",
        label=("type", "types"),
        labelled=("entity", "entities"),
        length_note="Texts are read in windows of at most {}.",
        explanations=(
            (
                "Entities",
                "An entity is right if its first word, its last word and its type are; one that is nearly right counts "
                "as wrong twice, as missed and as invented. Precision is the share of right ones among the predicted "
                "entities, recall the share that is found of those in the data, F1 their harmonic mean.",
            ),
        ),
        shown="Test texts",
        hub_task="token-classification",
        task_name="Entities in texts",
        tags=("token-classification",),
        snippets=lambda record: use_tagger(),
        notes=_tagger_notes,
    ),
    "mlm": TaskPage(
        item="document",
        length_note="Blocks of at most {}.",
        margin=0.05,
        explanations=(
            (
                "Masked words",
                "In each test document 15% of the tokens were masked, the same ones before and after, and the model "
                "predicted them. The loss is the mean of −ln of the probability of the right token: 0 if that "
                "probability is always 1, 0.69 if it is 0.5, 4.6 if it is 0.01.",
            ),
            (
                "Perplexities",
                "They are computed from the losses of single masked tokens, so they are not the probability of a text. "
                "Compare them only between models with the same tokenizer: if words are cut into more tokens, many "
                "of these are easy to predict from their neighbours.",
            ),
        ),
        shown="Sentences of test documents",
        hub_task="fill-mask",
        task_name="Masked language modelling",
        tags=("fill-mask",),
        snippets=lambda record: use_masked(),
        notes=lambda record: MASKED_NOTES,
    ),
}
