"""What the report and the model card say of each task: one entry of ``TASK_PAGES`` a task, by its name.

A task may also have sections of its own; these appear wherever their part of the run is there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from homeground.results.record import RunRecord
from homeground.wording import as_markdown, count

MOST_CLASSES = 20
"""Up to so many classes are named in a card; the config of the model has them all."""


@dataclass(frozen=True)
class TaskPage:
    """The words for one task; the defaults are those for a task that is not in the table.

    ``item`` is a test example, in the singular; ``more`` is what to gather where the test is too small; ``gold`` is
    what people gave each example that could contradict itself, empty where they gave nothing; ``length_note`` says what
    the longest length is, ``margin`` what general ability may lose where neither run nor recipe say. ``advice`` is for
    a model that HELPED and lost nothing that is known. ``explanations`` are terms of "How to read this"; ``shown`` are
    the texts that are on the page. The rest is for the model card: the task as the Hub calls it and as the card does,
    the library and the tags for the Hub, and what returns how the model is used.
    """

    item: str = "example"
    more: str = "examples"
    gold: str = ""
    length_note: str = "The model reads {} of a text."
    margin: float = 0.01
    advice: str = ""
    explanations: tuple[tuple[str, str], ...] = ()
    shown: str = "Test examples"
    hub_task: str = "feature-extraction"
    task_name: str = "Feature extraction"
    library: str = "transformers"
    tags: tuple[str, ...] = ()
    use: Callable[[RunRecord], str] = lambda record: USE


def task_page(record: RunRecord) -> TaskPage:
    """Return the page of the record's task; where an example is two texts, it is called a pair."""
    page = TASK_PAGES.get(record.scores.task, TaskPage())
    return replace(page, item="pair", shown=PAIRS_SHOWN) if "text_1" in record.data.columns else page


PAIRS_SHOWN = "Texts of test pairs"

USE = """## Use

```python
import homeground

model = homeground.load("path/to/this/model")
```

"""

USE_ENCODER = """## Use

```python
import homeground

model = homeground.load("path/to/this/model")
model.encode(["a text", "another text"])
```

```python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("path/to/this/model")
embeddings = model.encode(["a text", "another text"])
```

"""

ANGULAR = """The scores are those of the angular similarity of two embeddings, `1 - arccos(cosine) / pi`.

"""

USE_CLASSIFIER = """{classes}## Use

```python
import homeground

model = homeground.load("path/to/this/model")
model.predict({texts})
```

```python
from transformers import pipeline

classify = pipeline("text-classification", model="path/to/this/model")
classify({piped}, {options})
```

{several}{truncated}"""

HEAD_AND_TAIL = """Of texts that are too long Homeground reads the beginning and the end, as in training; the pipeline
reads the beginning only.

"""

SEVERAL_LABELS = """A text may have several of the labels, or none: those whose probability is at least 0.5.

"""

USE_MASKED = """## Use

```python
import homeground

model = homeground.load("path/to/this/model")
model.fill_mask("The [MASK] was late.")
```

```python
from transformers import pipeline

fill = pipeline("fill-mask", model="path/to/this/model")
fill(f"The {fill.tokenizer.mask_token} was late.")
```

It can also be the checkpoint of another task: `homeground adapt labelled.csv --checkpoint path/to/this/model`. That it
predicts words better does not say that it will do that task better.


Losses and perplexities of masked words are comparable between models with the same tokenizer only.
"Perplexity as in tutorials" hides 80% of the chosen tokens, replaces 10% and leaves 10% as they are, so it is lower.

"""


def _use_encoder(record: RunRecord) -> str:
    angular = "pearson" in record.scores.after and record.setting("training", "loss") in ("auto", "angular_mse")
    return USE_ENCODER + (ANGULAR if angular else "")


def _use_classifier(record: RunRecord) -> str:
    scores, paired = record.scores, "text_1" in record.data.columns
    names = [as_markdown(name) for name in scores.classes]
    classes = f": {', '.join(names)}" if names and len(names) <= MOST_CLASSES else ""
    texts = '["a text", "another text"]'
    return USE_CLASSIFIER.format(
        classes=f"It knows {count(len(names), 'class', 'classes')}{classes}.\n\n" if names else "",
        texts='[("a text", "another text")]' if paired else texts,
        piped='[{"text": "a text", "text_pair": "another text"}]' if paired else texts,
        options="top_k=None, truncation=True" if scores.several_labels else "truncation=True",
        several=SEVERAL_LABELS if scores.several_labels else "",
        truncated=HEAD_AND_TAIL if record.setting("encoder", "truncation") == "head_and_tail" else "",
    )


TASK_PAGES = {
    "similarity": TaskPage(
        item="pair",
        more="scored pairs",
        gold="scores",
        shown=PAIRS_SHOWN,
        hub_task="sentence-similarity",
        task_name="Similarity of pairs",
        library="sentence-transformers",
        tags=("sentence-transformers", "sentence-similarity", "feature-extraction"),
        use=_use_encoder,
    ),
    "classification": TaskPage(
        item="text",
        more="labelled {item}s",
        gold="labels",
        explanations=(
            (
                "F1",
                "Precision is the share of the texts given a class that have it, recall the share of the texts of a "
                "class that are given it. F1 lies between the two, nearer to the smaller: it is high only if both are.",
            ),
            (
                "Confidence",
                "The probability the model states for its own answer. It is well calibrated if of the answers given "
                "with confidence 0.8 four in five are right; then it can be used as a threshold below which a person "
                "looks.",
            ),
        ),
        shown="Test texts",
        hub_task="text-classification",
        task_name="Text classification",
        tags=("text-classification",),
        use=_use_classifier,
    ),
    "mlm": TaskPage(
        item="document",
        more="documents",
        length_note="Blocks of at most {}.",
        margin=0.05,
        advice="Use the adapted model to fill in words of this domain, or as the checkpoint of another task there; "
        "whether it helps that task only its own verdict can say.",
        explanations=(
            (
                "Masked words",
                "In every test document 15% of the tokens were hidden, before and after the very same ones, and the "
                "model said how likely each token was. The loss is the mean of −ln of the probability of the right "
                "one: 0 if it is always sure and right, 0.69 if it gives it one half, 4.6 if one in a hundred.",
            ),
            (
                "Perplexities",
                "All of them follow from losses of single hidden tokens, so they are no probability of a text. Compare "
                "them between models with the same tokenizer only: one that cuts words into more pieces guesses many "
                "of them from their neighbours.",
            ),
        ),
        shown="Sentences of test documents",
        hub_task="fill-mask",
        task_name="Masked language modelling",
        tags=("fill-mask",),
        use=lambda record: USE_MASKED,
    ),
}
