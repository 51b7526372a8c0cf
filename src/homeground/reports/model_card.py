"""The model card: the README.md of the adapted model, for the Hub and for whoever finds the folder.

The card tells the verdict and the scores. It holds no text of the training or test data unless that is asked for, and
no path of this machine.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from homeground.reports.publication import Publication, data_section, examples_section
from homeground.results.record import RunRecord, own_difference, part, parts
from homeground.statistics.glossary import metric
from homeground.wording import count, interval, is_number, number, percent, signed

_HUB_NAMES = {"minilm": "sentence-transformers/all-MiniLM-L6-v2"}
"""Checkpoints known here by a short name, and what they are called on the Hub."""

_BODY = """
# {title}

{base}, adapted to a domain and measured by Homeground.

**{sentence}**

| Metric | Before | After | Better by | {level} interval |
|---|---:|---:|---:|---:|
{rows}

Measured on {test}, {seen}. "Better by" is positive where the model improved. {meaning}
{general}
{trained}
{use}
{remark}{data}{examples}## Limits

{covered} The
licence of the checkpoint and of the data apply to this model; look them up before sharing it.
"""

_USE_ENCODER = """## Use

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

_USE_CLASSIFIER = """{classes}## Use

```python
import homeground

model = homeground.load("path/to/this/model")
model.predict({own})
```

```python
from transformers import pipeline

classify = pipeline("text-classification", model="path/to/this/model")
classify({piped}, {options})
```
"""

_USE_MASKED = """## Use

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

"""

_WITHIN = """Losses and perplexities of masked words are comparable between models with the same tokenizer only.
"Perplexity as in tutorials" hides 80% of the chosen tokens, replaces 10% and leaves 10% as they are, so it is lower.

"""

_TEXTS = '["a text", "another text"]'
_OWN_PAIRS = '[("a text", "another text")]'
_PIPED_PAIRS = '[{"text": "a text", "text_pair": "another text"}]'

_HEAD_AND_TAIL = """Of texts that are too long Homeground reads the beginning and the end, as in training; the pipeline
reads the beginning only.

"""

_SEVERAL = """A text may have several of the labels, or none: those whose probability is at least 0.5.

"""

MOST_CLASSES = 20
"""Up to so many classes are named; the config of the model has them all."""

_ANGULAR = """The scores are those of the angular similarity of two embeddings, `1 - arccos(cosine) / pi`.

"""


_PLACE = "path/to/this/model"
"""What the lines of code above load, where the model is not published."""


def model_card(record: RunRecord, published: Publication | None = None) -> str:
    """Return the README.md of an adapted model: YAML for the Hub, then the verdict and the scores in Markdown."""
    from huggingface_hub import ModelCardData  # here, because it takes longer to import than the card takes to write

    base = hub_name(record)
    tag = _tag(record)
    encodes = ["feature-extraction"] if tag == "sentence-similarity" else []
    library = "sentence-transformers" if encodes else "transformers"
    license: dict[str, Any] = dict(published.license) if published else {}
    data = ModelCardData(
        model_name=published.name if published else record.name,
        language=list(published.languages) or None if published else None,
        **license,
        library_name=library,
        pipeline_tag=tag,
        base_model=base,
        tags=[*([library] if encodes else []), tag, *encodes, "homeground"],
        metrics=[str(record.scores.get("primary_metric") or "")],
        eval_results=_results(record) or None,
    )
    return f"---\n{data}\n---\n{_body(record, published)}"


_TASK_NAMES = {
    "text-classification": "Text classification",
    "fill-mask": "Masked language modelling",
    "sentence-similarity": "Similarity of pairs",
}
"""What the Hub calls a task, and what the card does."""


def _tag(record: RunRecord) -> str:
    """Return what the Hub calls the task of the model."""
    if record.masked:
        return "fill-mask"
    return "text-classification" if record.labelled else "sentence-similarity"


def hub_name(record: RunRecord) -> str | None:
    """Return the checkpoint's name on the Hub, or None for a local one: the Hub refuses a card that names a path."""
    name = str(record.checkpoint.get("name") or "")
    name = _HUB_NAMES.get(name, name)
    if not re.fullmatch(r"[\w.-]{1,96}/[\w.-]{1,96}", name, re.ASCII) or "--" in name or ".." in name:
        return None
    return name if record.checkpoint.get("revision") or not Path(name).exists() else None


def _results(record: RunRecord) -> list[Any]:
    """Return one result for the model index for every score after adapting that is a number."""
    from huggingface_hub import EvalResult

    after = part(record.scores, "after")
    return [
        EvalResult(
            task_type=_tag(record),
            task_name=_TASK_NAMES[_tag(record)],
            dataset_type="custom",
            dataset_name=_tested(record),
            dataset_split="cross-fitted" if record.scores.get("cross_fit") else "test",
            metric_type=name,
            metric_name=metric(name).label,
            metric_value=round(float(value), 6),
        )
        for name, value in after.items()
        if is_number(value)
    ]


def _tested(record: RunRecord) -> str:
    """Say of what the scores are, and whether that was held out of the training."""
    if record.scores.get("cross_fit"):
        return f"{record.item}s of the domain, each scored by a sister model that did not learn from it"
    kind = "test" if record.scores.get("seen_in_training") else "held-out test"
    return f"{kind} {record.item}s of the domain"


def _body(record: RunRecord, published: Publication | None) -> str:
    scores = record.scores
    primary = metric(str(scores.get("primary_metric") or ""))
    use = _use(record)
    return _BODY.format(
        title=plain(published.name if published else record.name),
        base=plain(_base(record)),
        sentence=plain(scores.get("sentence") or scores.get("verdict", "")),
        level=percent(part(scores, "difference").get("level", 0.95)),
        rows="\n".join(_row(name, scores) for name in part(scores, "after")),
        test=count(scores.get("test_examples"), f"test {record.item}"),
        seen=_seen(scores),
        meaning=plain(f"{primary.label} decides. {primary.meaning}"),
        general=_general(part(scores, "general")),
        trained=_trained(record) + _calibrated(record),
        use=use.replace(_PLACE, published.repository) if published else use,
        remark=_remark(record),
        covered=_covered(record),
        data=data_section(record) if published else "",
        examples=examples_section(record, plain) if published and published.examples else "",
    )


def _covered(record: RunRecord) -> str:
    """Say what the intervals hold, and which of several trainings this model is."""
    trainings = parts(part(record.scores, "seeds"), "trainings")
    if not trainings:
        return (
            "The interval covers the choice of test texts, not the luck of one training run, and not texts of another "
            "kind."
        )
    return (
        f"The sentence on top is about the recipe: its interval covers the choice of test texts and the luck of "
        f"{len(trainings)} trainings. This model is the first of them, with seed {trainings[0].get('seed')}; the table "
        "is about it alone, and its intervals cover the choice of test texts only. No interval covers texts of another "
        "kind."
    )


def _base(record: RunRecord) -> str:
    """Return the checkpoint's name; of a folder the last part only, for the rest is nobody else's business."""
    name = str(record.checkpoint.get("name") or "A pretrained checkpoint")
    return name if hub_name(record) else Path(name).name or name


def _use(record: RunRecord) -> str:
    if record.masked:
        return _USE_MASKED
    return _use_classifier(record) if record.labelled else _USE_ENCODER


def _use_classifier(record: RunRecord) -> str:
    names = [plain(name) for name in record.scores.get("classes") or []]
    listed = f": {', '.join(names)}" if names and len(names) <= MOST_CLASSES else ""
    return _USE_CLASSIFIER.format(
        classes=f"It knows {count(len(names), 'class', 'classes')}{listed}.\n\n" if names else "",
        own=_OWN_PAIRS if record.item == "pair" else _TEXTS,
        piped=_PIPED_PAIRS if record.item == "pair" else _TEXTS,
        options="top_k=None, truncation=True" if record.several else "truncation=True",
    )


def _remark(record: RunRecord) -> str:
    if record.masked:
        return _WITHIN
    if record.labelled:
        cut = part(record.recipe, "encoder").get("truncation") == "head_and_tail"
        return (_SEVERAL if record.several else "") + (_HEAD_AND_TAIL if cut else "")
    angular = part(record.recipe, "training").get("loss") in ("auto", "angular_mse")
    return _ANGULAR if angular and record.scored else ""


def _trained(record: RunRecord) -> str:
    """Return the settings that the weights were trained with, which a search may have chosen."""
    training, search = part(record.scores, "training"), part(record.scores, "search")
    rate, size = training.get("learning_rate"), part(record.recipe, "training").get("batch_size")
    if not (is_number(rate) and is_number(training.get("epochs"))):
        return ""
    tried = len(parts(search, "trials"))
    chosen = f", chosen on validation among {tried} trials of learning rate and epochs" if tried else ""
    epochs = f"{training['epochs']:.3g} epoch{'' if training['epochs'] == 1 else 's'}"
    weight = part(record.scores, "merging").get("weight")
    merged = (
        f" Then merged: the weights lie {100 * weight:.0f}% of the way from the checkpoint to what was learned, "
        "chosen on validation so that general ability stays."
        if is_number(weight)
        else ""
    )
    head = part(record.scores, "head")
    fitted = (
        " The checkpoint had no trained head for masked words; one was trained first, in "
        f"{count(head.get('steps'), 'step')} with the checkpoint frozen, and before is the checkpoint with it."
        if record.masked and head
        else ""
    )
    return (
        f"Trained for {epochs} in batches of {size} with a learning rate of at most {rate:g}{chosen}.{fitted}{merged}\n"
    )


def _calibrated(record: RunRecord) -> str:
    """Say what the probabilities were divided by, and below which confidence Homeground abstains."""
    found = part(record.scores, "calibration")
    temperature, abstain = found.get("temperature"), part(found, "abstain")
    said: list[str] = []
    if is_number(temperature) and temperature != 1:
        examples = count(found.get("validation_examples"), "validation example")
        said.append(f"Its weights hold a temperature of {number(temperature, 2)}, fitted on {examples}, so that its "
                    "probabilities can be believed.")  # fmt: skip
    if is_number(abstain.get("threshold")):
        said.append(
            f"Homeground abstains where no label reaches a probability of {number(abstain['threshold'], 4)}, for a "
            f"precision of {abstain.get('target_precision')}; the pipeline answers every text."
        )
    return "".join(f"\n{sentence}\n" for sentence in said)


def _seen(scores: Mapping[str, Any]) -> str:
    seen = scores.get("seen_in_training") or 0
    if folds := scores.get("cross_fit"):
        return f"each scored by one of {folds} sister models that did not learn from it; this model learned from all"
    return (
        f"{count(seen)} of which were in the training data, too" if seen else "none of which was in the training data"
    )


def _row(name: str, scores: Mapping[str, Any]) -> str:
    words = metric(name)
    deciding = name == scores.get("primary_metric")
    difference = own_difference(scores) if deciding else part(scores, "differences").get(name) or {}
    cells = [
        plain(words.label) + (f" {words.arrow}" if words.arrow else ""),
        number(part(scores, "before").get(name), words.decimals),
        number(scores["after"][name], words.decimals),
        signed(difference.get("value"), words.decimals),
        interval(difference, words.decimals),
    ]
    return "| " + " | ".join(cells) + " |"


def _general(general: Mapping[str, Any]) -> str:
    if not general:
        return "\nGeneral ability, outside the domain, was not measured.\n"
    sentence = str(general.get("sentence") or general.get("verdict", ""))
    file = str(general.get("name") or "")
    said = sentence.replace(file, Path(file).name) if file else sentence
    return f"\nGeneral ability: {plain(said)}\n"


def plain(text: Any) -> str:
    r"""Return a text that Markdown and HTML will show as it is, on one line.

    >>> plain("a|b <i> [x](y)")
    'a\\|b &lt;i&gt; \\[x\\]\\(y\\)'
    """
    escaped = re.sub(r"([\\`*_{}\[\]()#+!|~$])", r"\\\1", " ".join(str(text).split()))
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("://", ":&#8203;//")
