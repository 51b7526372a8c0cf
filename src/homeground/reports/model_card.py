"""The model card: the README.md of the adapted model, for the Hub and for whoever finds the folder.

The card holds the verdict and the scores. It holds no path of the machine, and no text of the training or test data
unless the publisher includes examples.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from homeground.reports.sections.scores import difference_of
from homeground.reports.task_pages import PLACE, Snippets, task_page
from homeground.results.parts import GeneralRecord, MaskedHeadRecord
from homeground.results.publication import ExportRecord
from homeground.results.record import RunRecord
from homeground.results.scores import Scores
from homeground.results.summary import learned_line
from homeground.statistics.glossary import metric
from homeground.wording import as_markdown, count, interval, number, percent, signed, size

HUB_NAMES = {"minilm": "sentence-transformers/all-MiniLM-L6-v2"}
"""Checkpoints known here by a short name, and what they are called on the Hub."""

MOST_EXAMPLES = 10
"""The most test examples in a card that shows some."""

LONGEST_VALUE = 200
"""Characters of a value in their table."""

HIDDEN_FIELDS = ("row", "unit")
"""Fields of examples.jsonl that mean nothing outside the run."""

BODY = """
# {title}

{base}, adapted to a domain and evaluated with Homeground.

**{sentence}**

| Metric | Before | After | Better by | {level} interval |
|---|---:|---:|---:|---:|
{rows}

Evaluated on {test}, {contamination}. "Better by" is positive where the model improved. {meaning}
{general}
{trained}
{use}{exports}{data}{examples}## Limits

{coverage} The
licences of the checkpoint and of the data apply to this model; check them before you share it.
"""


@dataclass(frozen=True)
class Publication:
    """Where a model is published, and what the publisher states about it.

    ``license`` holds ``license``, and for a licence outside the Hub's list ``license_name`` and ``license_link``; it is
    empty where the licence is not known. ``examples`` says whether texts of the test data are shown.
    """

    repository: str
    languages: tuple[str, ...] = ()
    license: Mapping[str, str] = field(default_factory=dict[str, str])
    examples: bool = False

    @property
    def name(self) -> str:
        """The name without its owner."""
        return self.repository.split("/")[-1]


def model_card(record: RunRecord, published: Publication | None = None) -> str:
    """Return the README.md of an adapted model: YAML for the Hub, then the verdict and the scores in Markdown."""
    from huggingface_hub import ModelCardData  # here, because it takes longer to import than the card takes to write

    page = task_page(record)
    license: dict[str, Any] = dict(published.license) if published else {}
    data = ModelCardData(
        model_name=published.name if published else record.name,
        language=list(published.languages) or None if published else None,
        **license,
        library_name=page.library,
        pipeline_tag=page.hub_task,
        base_model=hub_name(record),
        tags=[*page.tags, "homeground"],
        metrics=[record.scores.primary_metric],
        eval_results=_results(record) or None,
    )
    return f"---\n{data}\n---\n{_body(record, published)}"


def hub_name(record: RunRecord) -> str | None:
    """Return the checkpoint's name on the Hub, or None for a local one: the Hub refuses a card that names a path."""
    name = record.checkpoint.name or ""
    name = HUB_NAMES.get(name, name)
    if not re.fullmatch(r"[\w.-]{1,96}/[\w.-]{1,96}", name, re.ASCII) or "--" in name or ".." in name:
        return None
    return name if record.checkpoint.revision or not Path(name).exists() else None


def _results(record: RunRecord) -> list[Any]:
    """Return one result for the model index for every score after adapting that is a number."""
    from huggingface_hub import EvalResult

    page = task_page(record)
    return [
        EvalResult(
            task_type=page.hub_task,
            task_name=page.task_name,
            dataset_type="custom",
            dataset_name=_test_set(record),
            dataset_split="cross-fitted" if record.scores.cross_fit else "test",
            metric_type=name,
            metric_name=metric(name).label,
            metric_value=round(value, 6),
        )
        for name, value in record.scores.after.items()
        if value is not None
    ]


def _test_set(record: RunRecord) -> str:
    """Return the test set in words, and whether it was held out of the training."""
    items = f"{task_page(record).item}s of the domain"
    if record.scores.cross_fit:
        return f"{items}, each scored by a model that was not trained on it"
    return f"{'test' if record.scores.contaminated else 'held-out test'} {items}"


def _body(record: RunRecord, published: Publication | None) -> str:
    scores, page = record.scores, task_page(record)
    primary = metric(scores.primary_metric)
    return BODY.format(
        title=as_markdown(published.name if published else record.name),
        base=as_markdown(_base(record)),
        sentence=as_markdown(scores.sentence or scores.verdict),
        level=percent(scores.difference.level),
        rows="\n".join(_row(name, scores) for name in scores.after),
        test=count(scores.test_examples, f"test {page.item}"),
        contamination=_contamination(scores),
        meaning=as_markdown(f"The verdict is about {primary.label}. {primary.meaning}"),
        general=_general(scores.general),
        trained=_training(record) + _calibration(scores),
        use=_use(
            page.snippets(record), page.notes(record) + _cleaning(record), published.repository if published else PLACE
        ),
        coverage=_coverage(scores),
        exports=_exports(record),
        data=_data(record) if published else "",
        examples=_examples(record) if published and published.examples else "",
    )


def _cleaning(record: RunRecord) -> str:
    """Say that the model was given cleaned texts, which other libraries do not make."""
    cleaning = record.data.cleaning
    if cleaning is None or cleaning.only_train:
        return ""
    return (
        f" The model learned from cleaned texts ({', '.join(cleaning.steps)}): Homeground cleans what it is given, "
        "transformers and sentence-transformers do not."
    )


def _use(snippets: Snippets, notes: str, place: str) -> str:
    """Return how to use the model, and what to know for it."""
    blocks = "".join(f"```{language}\n{code}\n```\n\n" for _, language, code in snippets)
    return f"## Use\n\n{blocks}{notes}".replace(PLACE, place)


def _base(record: RunRecord) -> str:
    """Return the checkpoint's name; of a folder only the last part, because the rest is private."""
    name = record.checkpoint.name or "A pretrained checkpoint"
    return name if hub_name(record) else Path(name).name or name


def _row(name: str, scores: Scores) -> str:
    words, difference = metric(name), difference_of(scores, name)
    cells = [
        as_markdown(words.label) + (f" {words.arrow}" if words.arrow else ""),
        number(scores.before.get(name), words.decimals),
        number(scores.after[name], words.decimals),
        signed(difference.value, words.decimals),
        interval(difference, words.decimals),
    ]
    return "| " + " | ".join(cells) + " |"


def _contamination(scores: Scores) -> str:
    if scores.cross_fit:
        return (
            f"each scored by one of {scores.cross_fit} models, which was not trained on it; this model was trained "
            "on all of them"
        )
    if scores.contaminated:
        return f"{count(scores.contaminated)} of which were also in the training data"
    return "none of which was in the training data"


def _general(general: GeneralRecord | None) -> str:
    if general is None:
        return "\nGeneral ability, outside the domain, was not measured.\n"
    sentence = general.sentence or general.verdict
    shown = sentence.replace(general.name, Path(general.name).name) if general.name else sentence
    return f"\nGeneral ability: {as_markdown(shown)}\n"


def _training(record: RunRecord) -> str:
    """Return the settings that the weights were trained with, which a search may have selected."""
    scores, training = record.scores, record.scores.training
    if training.learning_rate is None or training.epochs is None:
        return ""
    search = head = merging = ""
    learned = f" Trained: {line}." if (line := learned_line(training)) else ""
    if scores.search:
        search = f", selected on validation from {len(scores.search.trials)} trials of learning rate and epochs"
    if isinstance(scores.head, MaskedHeadRecord):
        head = (
            " The checkpoint had no trained head for masked words; one was trained first, in "
            f"{count(scores.head.steps, 'step')} with the checkpoint frozen. Before is the checkpoint with this head."
        )
    if scores.merging:
        merging = (
            f" The weights were then merged: they are {100 * scores.merging.weight:.0f}% of the way from the "
            "checkpoint to the trained weights, selected on validation to keep general ability."
        )
    return (
        f"Trained for {training.epochs:.3g} epoch{'' if training.epochs == 1 else 's'} in batches of "
        f"{record.setting('training', 'batch_size')} with a learning rate of at most {training.learning_rate:g}"
        f"{search}.{learned}{head}{merging}\n"
    )


def _calibration(scores: Scores) -> str:
    """Return the temperature of the probabilities, and below which confidence Homeground abstains."""
    calibration = scores.calibration
    if calibration is None:
        return ""
    abstain, sentences = calibration.abstain, list[str]()
    if calibration.temperature != 1:
        examples = count(calibration.validation_examples, "validation example")
        sentences.append(
            f"Its weights include a temperature of {number(calibration.temperature, 2)}, fitted on {examples}, which "
            "calibrates its probabilities."
        )
    if abstain and abstain.threshold is not None:
        sentences.append(
            f"Homeground abstains where no label reaches a probability of {number(abstain.threshold, 4)}, for a "
            f"precision of {abstain.target_precision}; the pipeline predicts a label for every text."
        )
    return "".join(f"\n{sentence}\n" for sentence in sentences)


def _exports(record: RunRecord) -> str:
    """Return a table of the exports of the run, which are beside the model and are not published with it."""
    if not record.exports:
        return ""
    words = metric(record.exports[0].primary_metric)
    rows = "\n".join(_export_row(each, words.decimals) for each in record.exports)
    seen = max(each.seen for each in record.exports)
    label = as_markdown(words.label)
    return (
        "## Exports\n\nMade of this model with `homeground export`, and measured beside it on the same test. Speed is "
        "the ratio of time against the model in fp32 on one machine; above 1 the export is faster. One in int8 or "
        f"bf16 is accepted where the interval excludes a loss of its margin.{_learned_remark(seen)}\n\n"
        f"| Export | Size | {label} of the model | {label} of the export | Interval of the difference | Margin | "
        f"Largest difference of {record.exports[0].parity.outputs} | Equal predictions | Speed |\n"
        f"|---|---:|---:|---:|---:|---:|---:|---:|---:|\n{rows}\n\n"
    )


def _export_row(export: ExportRecord, decimals: int) -> str:
    """Return a row of the table of exports, without scores where the model has learned from the test."""
    scores = (number(export.before, decimals), number(export.after, decimals), interval(export.difference, decimals))
    cells = (
        export.name,
        size(export.bytes),
        *(("–",) * len(scores) if export.seen else scores),
        f"{export.margin:g}" if export.precision != "fp32" else "–",
        f"{export.parity.largest:.2g}",
        "–" if export.parity.equal is None else percent(export.parity.equal, 2),
        f"{number(export.speed.ratio, 2)}×",
    )
    return f"| {' | '.join(cells)} |"


def _learned_remark(seen: int) -> str:
    if not seen:
        return ""
    return (
        f" The model has learned {count(seen)} of the test examples, so that scores there would be agreement and no "
        "scores of new texts: they are left out."
    )


def _data(record: RunRecord) -> str:
    """Return the hashes of the data: whoever has the files can check them, and no text is shown."""
    hashes: Mapping[str, str] = record.run.get("identity", {}).get("data", {})
    if not hashes:
        return ""
    rows = "\n".join(f"| {name.replace('_', ' ')} | `{digest}` |" for name, digest in hashes.items())
    version = record.run.get("homeground")
    made = f"\nMade by Homeground {version}.\n" if version else ""
    return f"## Data\n\n| Part | sha256 |\n|---|---|\n{rows}\n{made}\n"


def _examples(record: RunRecord) -> str:
    """Return the first test examples with the model's predictions before and after."""
    lines = [
        {name: _as_text(value) for name, value in line.items() if name not in HIDDEN_FIELDS}
        for line in record.examples[:MOST_EXAMPLES]
    ]
    if not lines:
        return ""
    names = list(lines[0])
    rows = [[as_markdown(name) for name in names], ["---"] * len(names)]
    rows += [[as_markdown(line.get(name, "")) for name in names] for line in lines]
    table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    return f"## Examples\n\nThe first test examples.\n\n{table}\n\n"


def _as_text(value: Any) -> str:
    """Return a value of examples.jsonl as one short text."""
    if isinstance(value, Mapping):
        text = ", ".join(f"{name} {_as_text(inner)}" for name, inner in cast(Mapping[str, Any], value).items())
    elif isinstance(value, list):
        text = ", ".join(map(_as_text, cast(list[Any], value)))
    else:
        text = "" if value is None else str(value)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def _coverage(scores: Scores) -> str:
    """Return what the intervals cover, and which of several training runs this model is."""
    if not scores.trainings:
        return (
            "The intervals cover the choice of test texts, but neither the variance between training runs nor texts of "
            "another kind."
        )
    return (
        "The sentence at the top is about the recipe: its interval covers the choice of test texts and the variance "
        f"between {len(scores.trainings)} training runs. This model is that of the first run, with seed "
        f"{scores.trainings[0].seed}; the table is about this model only, and its intervals cover the choice of test "
        "texts only. No interval covers texts of another kind."
    )
