"""A recipe made concrete: checkpoint, task, examples and evaluation sets, checked against each other."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from homeground.audit import AuditedData, audit
from homeground.checkpoint import (
    Checkpoint,
    Coverage,
    load_tokenizer,
    measure_coverage,
    open_checkpoint,
    padding_id,
    require_encoder,
)
from homeground.checkpoint.vocabulary import (
    FEWEST_DOCUMENTS,
    broken_pieces,
    count_words,
    counted_places,
    extend_tokenizer,
)
from homeground.data.cleaning import CleanedDocuments, Cleaner
from homeground.data.corpus import Corpus, Part, link
from homeground.data.documents import Document
from homeground.data.examples import Example
from homeground.data.leakage import Contamination, TrainingHashes, rows_inside
from homeground.data.tokens.tokenized import TextTokens
from homeground.engines import open_engine
from homeground.engines.extended_checkpoint import extend_checkpoint
from homeground.errors import CheckpointError, DataError, UsageError
from homeground.evaluation.evaluation_set import EvaluationSet
from homeground.evaluation.general_sets import Domain, GeneralExamples, is_measurable, read_general_sets
from homeground.evaluation.left_out import FEWEST_LEFT
from homeground.evaluation.merging import MERGE_DRAWS
from homeground.experiment.data_record import LookedAt, cleaning_record, data_notes, data_record, vocabulary_record
from homeground.experiment.refusals import (
    cleaner_for,
    refuse_before_start,
    refuse_findings,
    refuse_new_head,
    refuse_unknown_tokens,
)
from homeground.experiment.splits import EvaluationSets, TrainingSplits
from homeground.recipe.files import is_in_memory, split_files
from homeground.recipe.recipe import FILES, Recipe
from homeground.results.audit import AuditRecord
from homeground.results.data import DataRecord, VocabularyRecord
from homeground.tasks.reading import ReadTable, read_table
from homeground.tasks.task import Task, TaskInfo, TaskSpec, TokenizedExamples


@dataclass(frozen=True)
class Setup:
    """Everything that the trainings of a recipe need; nothing of it changes afterwards.

    Trainings start from ``checkpoint``, which is the ``original`` unless its vocabulary was extended.

    ``test`` are the test examples, all examples where folds are cross-fitted, without those that were learned from
    unless the recipe keeps them; ``test_as_read`` are all of them where any are left out, to describe what these would
    have changed. ``general`` are the general examples that decide, ``keep_general`` those that choose how much is kept;
    each is None where there are none. ``training_hashes`` are those of every text that the adapted model has learned
    from or was chosen by, earlier runs included; ``contamination`` says which test examples are among them.
    """

    recipe: Recipe
    checkpoint: Checkpoint
    original: Checkpoint
    task: Task
    corpus: Corpus
    sets: EvaluationSets
    cleaner: Cleaner
    test: EvaluationSet
    test_as_read: EvaluationSet | None
    splits: TrainingSplits
    general: EvaluationSet | None
    keep_general: EvaluationSet | None
    training_hashes: TrainingHashes
    contamination: Contamination
    general_contamination: GeneralContamination
    hashes: dict[str, str]
    record: DataRecord

    @property
    def tokens(self) -> TextTokens:
        """What cuts texts into the tokens of the adapted model."""
        return self.sets.tokens

    @property
    def max_length(self) -> int:
        """The most tokens of a text, special tokens included."""
        return self.sets.max_length

    @property
    def folder(self) -> Path:
        """The run folder."""
        return run_folder(self.recipe, self.task.info.name)

    @property
    def test_examples(self) -> TokenizedExamples:
        """The test examples with their rows."""
        return TokenizedExamples(self.corpus.test.examples, self.test.rows)

    @property
    def where_seen(self) -> str:
        """Where the test examples that were learned from are, in words."""
        return where_in_words(self.corpus, self.contamination)

    @property
    def nothing_left(self) -> bool:
        """Whether hardly any test example was not learned from, so that all are measured and nothing is decided."""
        kept = self.recipe.evaluation.keep_contaminated
        return bool(self.contamination.rows) and self.test_as_read is None and not kept

    @property
    def overlap(self) -> tuple[int, int]:
        """How many examples that are tested on the model after and the model before have learned from."""
        if not self.recipe.evaluation.keep_contaminated:
            return 0, 0
        return len(self.contamination.rows), len(self.contamination.seen.get("earlier runs", ()))

    @property
    def identity(self) -> dict[str, Any]:
        """What makes two runs the same run: settings and contents, whatever names the files and the run go by."""
        recipe = self.recipe.model_dump(mode="json", exclude={"out": True, "data": True, "checkpoint": True})
        recipe["task"] = self.task.info.name
        # Which texts to label next may be asked of a finished run.
        for name in ("unlabelled", "label_next"):
            del recipe["annotation"][name]
        # Whom the user trusts changes no result, nor does what is looked at before, or trained beside.
        del recipe["encoder"]["trust_saved_model"], recipe["inspection"], recipe["cleaning"]["ablate_cleaning"]
        del recipe["masking"]["ablate_vocabulary"]
        # Of runs from before there were any, they say nothing else.
        for name, usual in (("slices", 1), ("threads", None), ("freeze", "none"), ("speedups", "all"), ("lora", None)):
            if recipe["training"][name] == usual:
                del recipe["training"][name]
        for section, name in FILES[1:]:
            if isinstance(recipe[section].get(name), str):
                recipe[section][name] = "file"
        return {"recipe": recipe, "data": self.hashes, "checkpoint": self.checkpoint.sha256}


@dataclass(frozen=True)
class GeneralContamination:
    """How many general examples were left out because they were learned from, and how many of these were kept."""

    left_out: int = 0
    kept: int = 0


def prepare(
    recipe: Recipe,
    *,
    report: Callable[[str], None] = lambda _: None,
    earlier: TrainingHashes | None = None,
    tokenize_at_most: int | None = None,
) -> Setup:
    """Read everything a recipe names and check that it fits together; writes nothing but what the user's cache keeps.

    With ``tokenize_at_most`` only a sample of so many examples is tokenized, to estimate a run that is not carried out.
    ``earlier`` is what counts as learned before, by which test examples are left out; by default what the run of the
    checkpoint has stored.

    Raises:
        HomegroundError: what cannot be read, found or trusted, in the user's words.
    """
    read, corpus = _read(recipe, report)
    recipe, spec = read.recipe, read.spec
    original = open_for(recipe, spec)
    cleaner = cleaner_for(recipe, spec.info, original)
    stored = TrainingHashes.of_run(original.run)
    contamination = corpus.contamination(stored if earlier is None else earlier, stored)
    corpus = _without_contaminated(corpus, contamination, recipe)
    cleaned = CleanedDocuments(cleaner) if spec.info.cleaning == "training" else None
    checkpoint, vocabulary = _extended(recipe, corpus, original, cleaned)
    sets = _evaluation_sets(recipe, spec.info, checkpoint, original, cleaner)
    tokenizer = sets.tokens.tokenizer
    domain, coverage = _domain(recipe, spec, corpus, checkpoint, tokenizer)
    decides, chooses, training_hashes, general_contamination = _general_examples(domain, corpus, stored)
    coverage |= _coverage(recipe, {} if decides is None else {"general": decides}, tokenizer)
    audited = _audited(read, corpus, checkpoint, sets) if recipe.inspection.audit else None
    if tokenize_at_most is not None:
        corpus, domain = _sampled(corpus, domain, tokenize_at_most)
    test = sets.tested("test", domain.task, corpus.test.examples, corpus.test.units)
    splits = TrainingSplits(recipe, corpus, domain.task, sets.tokenize, cleaned)
    looked_at = LookedAt(
        coverage, audited, cleaning_record(cleaner, corpus, only_train=cleaned is not None), vocabulary
    )
    record = data_record(domain, corpus, sets.max_length, test, splits, (decides, chooses), contamination, looked_at)
    setup = Setup(
        recipe=recipe,
        checkpoint=checkpoint,
        original=original,
        task=domain.task,
        corpus=corpus,
        sets=sets,
        cleaner=cleaner,
        test=test,
        test_as_read=_test_as_read(corpus, domain.task, sets),
        splits=splits,
        general=_general_set(decides, sets),
        keep_general=_general_set(chooses, sets, MERGE_DRAWS),
        training_hashes=training_hashes,
        contamination=contamination,
        general_contamination=general_contamination,
        hashes=_hashes(recipe, corpus, decides, chooses, earlier),
        record=record,
    )
    return _checked(setup, report)


def _checked(setup: Setup, report: Callable[[str], None]) -> Setup:
    """Return a setup that does not write into its own checkpoint; what is known of its data is reported."""
    _refuse_own_checkpoint(setup)
    for line in data_notes(setup.record):
        report(line)
    return setup


def _evaluation_sets(
    recipe: Recipe, info: TaskInfo, checkpoint: Checkpoint, original: Checkpoint, cleaner: Cleaner
) -> EvaluationSets:
    """Return what makes the evaluation sets; texts are cleaned before they are cut, unless only training texts are."""
    max_length = longest_input(recipe, info, checkpoint)
    cleans = Cleaner() if info.cleaning == "training" else cleaner

    def tokens(checkpoint: Checkpoint) -> TextTokens:
        tokenizer = load_tokenizer(checkpoint, max_length=max_length, cleaner=cleans)
        return TextTokens(tokenizer, padding_id(checkpoint, tokenizer))

    before = None if checkpoint is original else tokens(original)
    return EvaluationSets(recipe, tokens(checkpoint), max_length, before)


def _extended(
    recipe: Recipe, corpus: Corpus, checkpoint: Checkpoint, cleaned: CleanedDocuments | None
) -> tuple[Checkpoint, VocabularyRecord | None]:
    """Return the checkpoint with tokens for words of the training texts, where the recipe asks for them.

    Raises:
        DataError: its tokenizer breaks no word that occurs in enough of the texts.
    """
    count = recipe.masking.extend_vocabulary
    if not count or cleaned is None:
        return checkpoint, None
    tokenizer = load_tokenizer(checkpoint, max_length=checkpoint.max_length, cleaner=Cleaner())
    documents = cleaned(corpus.train.examples)
    source = next(example.source for example in documents if isinstance(example, Document) and example.source)
    texts = source.tokenized(tokenizer)
    places = counted_places(texts, texts.places([example.row for example in documents]), seed=recipe.seed)
    extended = extend_tokenizer(tokenizer, broken_pieces(texts, places), count)
    if not extended.tokens:
        raise DataError(
            f"--extend-vocabulary {count}: the tokenizer of {checkpoint.name} breaks no word of letters that occurs in "
            f"{FEWEST_DOCUMENTS} training texts or more, or reads each letter by itself, as that of Chinese; leave it "
            "out"
        )
    words, total = count_words(texts, places)
    record = vocabulary_record(extended, tokenizer, asked=count, counts=(len(places), words, total))
    return extend_checkpoint(checkpoint, extended), record


def _read(recipe: Recipe, report: Callable[[str], None]) -> tuple[ReadTable, Corpus]:
    """Read the files of a recipe."""
    read = read_table(recipe)
    if read.recipe.data != recipe.data and not is_in_memory(recipe.data):  # a run on a folder of splits has its name
        out = run_folder(recipe, read.spec.info.name)
        read = replace(read, recipe=read.recipe.model_copy(update={"out": str(out)}))
    report(f"{read.recipe.data}: {read.spec.info.description}")
    corpus = read.corpus()
    refuse_before_start(read.recipe, read.spec.info, corpus)
    return read, corpus


def _audited(read: ReadTable, corpus: Corpus, checkpoint: Checkpoint, sets: EvaluationSets) -> AuditRecord:
    """Return what is found in the data, or refuse to go on with --strict."""
    own = AuditedData.of(read, corpus)
    tokenizer = sets.tokens.tokenizer
    data = replace(own, tokenizer=tokenizer, max_length=sets.max_length, checkpoint=checkpoint.name)
    found = audit(data)
    refuse_findings(read.recipe, found)
    return found


def open_for(recipe: Recipe, spec: TaskSpec) -> Checkpoint:
    """Return the checkpoint of a recipe, which is an encoder that its engine computes, as far as its settings say."""
    checkpoint = open_checkpoint(
        recipe.checkpoint, revision=recipe.revision, trust_saved_model=recipe.encoder.trust_saved_model
    )
    require_encoder(checkpoint)
    if checkpoint.exported:
        raise CheckpointError(
            f'"{checkpoint.name}" is an exported model, which predicts and can be measured, but not adapted; '
            "name the run that it was made from"
        )
    open_engine(recipe.engine).require_supported(checkpoint)
    refuse_new_head(recipe, spec, checkpoint)
    return checkpoint


def _domain(
    recipe: Recipe, spec: TaskSpec, corpus: Corpus, checkpoint: Checkpoint, tokenizer: Tokenizer
) -> tuple[Domain, dict[str, Coverage]]:
    """Return the examples of the domain with their task, and what the tokenizer knows of their texts."""
    parts = {"train": corpus.train, "validation": corpus.validation, "test": corpus.as_read.test}
    coverage = _coverage(recipe, parts, tokenizer)
    refuse_unknown_tokens(recipe, spec.info, checkpoint, coverage)
    task = _task(spec, parts, corpus.test, checkpoint)
    examples = [example for part in parts.values() for example in part.examples]
    return Domain(recipe, spec, task, checkpoint, examples), coverage


def _general_examples(
    domain: Domain, corpus: Corpus, stored: TrainingHashes
) -> tuple[GeneralExamples | None, GeneralExamples | None, TrainingHashes, GeneralContamination]:
    """Return the general examples that decide and that choose, and the hashes of all that is learned from."""
    decides, chooses = read_general_sets(domain)
    learned = [*corpus.train.examples, *corpus.validation.examples]
    hashes = stored | TrainingHashes.of([*learned, *(chooses.examples if chooses else [])])
    decides, contamination = _without_learned(decides, hashes, learned, domain.recipe)
    return decides, chooses, hashes, contamination


def _sampled(corpus: Corpus, domain: Domain, at_most: int) -> tuple[Corpus, Domain]:
    """Return a sample of the examples, of which nothing else is kept in memory."""
    corpus = corpus.sampled(at_most)
    return corpus, replace(domain, examples=[example for part in corpus.parts for example in part.examples])


def _coverage(recipe: Recipe, parts: Mapping[str, Part | GeneralExamples], tokenizer: Tokenizer) -> dict[str, Coverage]:
    """Return what the tokenizer knows of the texts of each split that has some."""
    return {
        split: measure_coverage(part.examples, tokenizer, seed=recipe.seed)
        for split, part in parts.items()
        if part.examples
    }


def _without_contaminated(corpus: Corpus, contamination: Contamination, recipe: Recipe) -> Corpus:
    """Return the corpus without the test examples that were learned from, where that leaves enough to measure."""
    clean = corpus if recipe.evaluation.keep_contaminated else corpus.without(contamination.rows)
    return clean if len(clean.test) >= FEWEST_LEFT else corpus


def _task(spec: TaskSpec, parts: Mapping[str, Part], test: Part, checkpoint: Checkpoint) -> Task:
    """Return the task for the splits as they were read, measured as the examples are that are tested."""
    task = spec.with_splits({split: part.examples for split, part in parts.items()}, checkpoint)
    return task if len(test) == len(parts["test"]) else task.for_examples(test.examples)


def _general_set(
    general: GeneralExamples | None, sets: EvaluationSets, draws: int | None = None
) -> EvaluationSet | None:
    if general is None:
        return None
    return sets.tested(general.name, general.task, general.examples, link(general.examples), draws)


def where_in_words(corpus: Corpus, contamination: Contamination) -> str:
    """Say where test examples that were learned from are: in which files, or in the splits of one."""
    is_file = "test" in corpus.hashes
    places = {
        "train": "the training file" if is_file else "the training split",
        "validation": f"the validation {'file' if 'validation' in corpus.hashes else 'split'}",
        "earlier runs": "the training data of an earlier run",
    }
    return " or ".join(places[name] for name in contamination.seen)


def run_folder(recipe: Recipe, task: str) -> Path:
    """Return the folder of a recipe's run: the one it names, else ``runs/<data name>-<task>``."""
    if recipe.out:
        folder = Path(recipe.out)
        return folder if folder.name else folder.resolve()
    first = Path(recipe.data.strip("<").split()[0] if is_in_memory(recipe.data) else split_files(recipe.data)[0])
    stem = re.sub(r"[^\w-]+", "-", first.name.split(".")[0]).strip("-")
    return Path("runs") / f"{stem or 'data'}-{task}"


def longest_input(recipe: Recipe, info: TaskInfo, checkpoint: Checkpoint) -> int:
    """Return the tokens a text, or a block of plain text, may have.

    Raises:
        UsageError: the recipe asks for more than the checkpoint reads.
    """
    usual = min(info.usual_length or checkpoint.max_length, checkpoint.max_length)
    longest = recipe.encoder.max_length or usual
    if longest > checkpoint.max_length:
        raise UsageError(f"--max-length {longest}: {checkpoint.name} reads at most {checkpoint.max_length} tokens")
    return longest


def _refuse_own_checkpoint(setup: Setup) -> None:
    run, folder = setup.checkpoint.run, setup.folder
    if run is not None and run.resolve() == folder.resolve():
        raise UsageError(f"--out {folder} is the run that is the checkpoint; name another folder for the new run")


def _test_as_read(corpus: Corpus, task: Task, sets: EvaluationSets) -> EvaluationSet | None:
    """Return all test examples where some are left out of the verdict."""
    read = corpus.as_read.test
    if len(read) == len(corpus.test):
        return None
    return sets.tested("test", task.for_examples(read.examples), read.examples, read.units)


def _without_learned(
    general: GeneralExamples | None, learned: TrainingHashes, examples: Sequence[Example], recipe: Recipe
) -> tuple[GeneralExamples | None, GeneralContamination]:
    """Return a general set without what was learned from, where enough is left to measure; else as it is."""
    if general is None:
        return None, GeneralContamination()
    seen = learned.seen(general.examples)
    inside = rows_inside(general.examples, examples)
    rest = [
        example
        for example, is_seen in zip(general.examples, seen.tolist(), strict=True)
        if not is_seen and example.row not in inside
    ]
    count = len(general.examples) - len(rest)
    if not count or recipe.evaluation.keep_contaminated or not is_measurable(rest):
        return general, GeneralContamination(kept=count)
    return replace(general, task=general.task.for_examples(rest), examples=rest), GeneralContamination(left_out=count)


def _hashes(
    recipe: Recipe,
    corpus: Corpus,
    general: GeneralExamples | None,
    keep_general: GeneralExamples | None,
    earlier: TrainingHashes | None,
) -> dict[str, str]:
    """Return the hash of every file that the results depend on, by its part, and of what counts as learned before."""
    evaluation = recipe.evaluation
    named = {
        "general": general if evaluation.general else None,
        "keep_general": keep_general if evaluation.keep_general else None,
    }
    hashes = corpus.hashes | {name: examples.sha256 for name, examples in named.items() if examples}
    if earlier is not None:
        hashes["earlier"] = hashlib.sha256(earlier.ordered.tobytes()).hexdigest()
    return hashes
