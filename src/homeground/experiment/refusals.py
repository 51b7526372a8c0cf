"""What a recipe asks for and its data or checkpoint cannot give: refused before anything is written or trained."""

from __future__ import annotations

from collections.abc import Mapping

from homeground.checkpoint import Checkpoint, Coverage, cleaner_of
from homeground.checkpoint.coverage import REFUSED_SHARE
from homeground.data.cleaning import CLEANING, Cleaner, expand_steps
from homeground.data.corpus import Corpus
from homeground.data.streams import require_texts
from homeground.errors import DataError, UsageError, nearest
from homeground.experiment.data_record import coverage_notes
from homeground.experiment.splits import words_decide
from homeground.recipe.lora import require_peft
from homeground.recipe.recipe import Recipe
from homeground.results.audit import AuditRecord
from homeground.tasks import TASKS
from homeground.tasks.task import FindsHead, TaskInfo, TaskSpec


def refuse_before_start(recipe: Recipe, info: TaskInfo, corpus: Corpus) -> None:
    """Refuse what would else come to light only after the run was begun."""
    if recipe.training.lora is not None:
        require_peft()
    scores = [example.score for example in corpus.test.examples]
    if scores[0] is not None and len(scores) > 1 and len(set(scores)) == 1:
        raise DataError(
            f"all {len(scores)} test examples have the score {scores[0]:g}, so no correlation can be measured; "
            "take another --split, or give a --test file whose scores differ"
        )
    monitored = {"train/epoch_loss"}
    if len(corpus.validation):
        monitored |= {"validation/loss", *(f"validation/{name}" for name in info.metric_names)}
    if recipe.training.monitor is not None and recipe.training.monitor not in monitored:
        known = nearest(recipe.training.monitor, sorted(monitored))
        raise UsageError(f'--monitor "{recipe.training.monitor}" is not measured; {known}')
    if recipe.search.search:
        _refuse_search(recipe, corpus)
    _refuse_annotation(recipe, info, corpus)
    if recipe.evaluation.keep_general and not len(corpus.validation):
        raise UsageError(
            "--keep-general chooses how much is kept on a validation split and there is none; give --validation, "
            "e.g. 0.1"
        )
    if recipe.evaluation.target_precision is not None:
        _refuse_abstaining(recipe, info, corpus)
    if words_decide(recipe) and not recipe.evaluation.pll:
        raise UsageError("--pll 0 asks for no word, and whole words decide here; leave it out, or give a number")
    if recipe.evaluation.pll:
        _refuse_words(recipe, info, corpus)


def _refuse_words(recipe: Recipe, info: TaskInfo, corpus: Corpus) -> None:
    """Refuse to fill in words where a model fills in none, or where the model that is kept learned from all texts."""
    flag = f"--pll {recipe.evaluation.pll}"
    if recipe.masking.extend_vocabulary:
        flag = f"--extend-vocabulary {recipe.masking.extend_vocabulary}"
    if "evaluation.pll" not in TASKS[info.name].settings:
        raise UsageError(f"{flag} fills in words of plain texts; this task is {info.name}")
    if corpus.folds is not None:
        raise UsageError(
            f"{flag} asks words of the model that is kept, and these {len(corpus.test)} texts are cross-fitted: it "
            "learned from them; add --cross-fit 0 for a test split of its own"
        )


def _refuse_abstaining(recipe: Recipe, info: TaskInfo, corpus: Corpus) -> None:
    """Refuse to choose a threshold where there is no label to be sure of, or nothing to choose by."""
    flag = f"--target-precision {recipe.evaluation.target_precision:g}"
    if not info.one_label:
        raise UsageError(f"{flag} is for texts with one label each, learned by cross_entropy; this is {info.loss}")
    if not len(corpus.validation):
        raise UsageError(f"{flag} chooses a threshold on a validation split and there is none; give --validation 0.1")


def _refuse_search(recipe: Recipe, corpus: Corpus) -> None:
    """Refuse a search that has nothing to choose by, or only what is learned from or tested on."""
    flag = f"--search {recipe.search.search}"
    if corpus.folds is not None:
        raise UsageError(
            f"{flag} chooses on a validation split, and these {len(corpus.test)} examples are cross-fitted, each a "
            "test example in its turn; add --cross-fit 0 for splits of their own, or leave out --search"
        )
    if not len(corpus.validation):
        raise UsageError(f"{flag} chooses on a validation split and there is none; give --validation, e.g. 0.1")
    if recipe.training.monitor == "train/epoch_loss":
        raise UsageError(f"{flag} chooses on validation and --monitor train/epoch_loss is not; leave out one of them")


def _refuse_annotation(recipe: Recipe, info: TaskInfo, corpus: Corpus) -> None:
    """Refuse a learning curve without a test split, and a choice of texts where nothing says how sure a model is."""
    asked = recipe.annotation
    if asked.learning_curve and corpus.folds is not None:
        raise UsageError(
            f"--learning-curve measures every share of the data on one test split, and these {len(corpus.test)} "
            "examples are cross-fitted, each a test example in its turn; add --cross-fit 0 for splits of their own, or "
            "leave out --learning-curve"
        )
    if asked.unlabelled is not None:
        if "annotation.unlabelled" not in TASKS[info.name].settings:
            raise UsageError(
                f"--unlabelled lists the texts of whose label a classifier is least sure, and {info.name} has no "
                "labels; leave it out"
            )
        require_texts(asked.unlabelled, recipe, info.columns)


def refuse_findings(recipe: Recipe, audit: AuditRecord) -> None:
    """Refuse to go on with --strict where an audit found a problem or warns."""
    if recipe.inspection.strict and audit.fatal:
        found = "; ".join(each.sentence for each in audit.fatal)
        raise DataError.at(recipe.data, f"--strict: {found}; homeground inspect shows them with advice")


def cleaner_for(recipe: Recipe, info: TaskInfo, checkpoint: Checkpoint) -> Cleaner:
    """Return the cleaner that a recipe names, or that the checkpoint was saved with.

    Raises:
        UsageError: a step is unknown, its library is missing, or it would move marked spans.
    """
    cleaning = recipe.cleaning
    steps = expand_steps(cleaning.clean)
    cleaner = Cleaner(steps, cleaning.clean_language) if cleaning.clean else cleaner_of(checkpoint)
    if info.cleaning == "in place" and cleaner.moving:
        allowed = ", ".join(name for name, step in CLEANING.items() if step.keeps_places)
        raise UsageError(
            f"--clean {cleaner.moving[0]} moves characters, and the entities of these texts are marked by their "
            f"places; allowed are {allowed}"
        )
    cleaner.require()
    return cleaner


def refuse_new_head(recipe: Recipe, spec: TaskSpec, checkpoint: Checkpoint) -> None:
    """Refuse what needs a trained head where the checkpoint has none.

    What a head fitted to the domain's own text makes of general text says nothing, so that there is nothing to keep;
    and the rows of new tokens begin as those of their pieces in a head that is trained.
    """
    if not isinstance(spec, FindsHead) or spec.finds_head(checkpoint):
        return
    if recipe.masking.extend_vocabulary:
        raise UsageError(
            f'--extend-vocabulary: "{checkpoint.name}" has no trained head for {spec.info.head_purpose}, which new '
            "tokens start from; adapt it to texts without it first, and that run to the domain"
        )
    if recipe.evaluation.keep_general:
        raise UsageError(
            f'--keep-general: "{checkpoint.name}" has no trained head for {spec.info.head_purpose}, so there is '
            "nothing to keep; adapt it to general text first, and that run to the domain"
        )


def refuse_unknown_tokens(
    recipe: Recipe, info: TaskInfo, checkpoint: Checkpoint, coverage: Mapping[str, Coverage]
) -> None:
    """Refuse to learn from or be judged by texts most of which the tokenizer does not know, unless told to."""
    if recipe.encoder.allow_unknown_tokens:
        return
    unknown = {split: each.unknown > REFUSED_SHARE for split, each in coverage.items()}
    if any(unknown.values()):
        # Where it is not so in every split, the one is named.
        affected = (
            coverage if all(unknown.values()) else {split: coverage[split] for split in coverage if unknown[split]}
        )
        notes = coverage_notes(checkpoint, info, affected, whole=all(unknown.values()))
        raise DataError(f"{notes[0]}; to train all the same, add --allow-unknown-tokens")
