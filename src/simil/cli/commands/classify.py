"""`simil classify`: which label fits each text?"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from simil.cli.negative_answer import NegativeAnswer
from simil.cli.options import types as opt
from simil.cli.options import values
from simil.cli.options.declarations import Option
from simil.cli.options.groups import InputFlags, ModelFlags, RunFlags, expanded
from simil.errors import InputError, NothingGiven, UsageError

if TYPE_CHECKING:
    from simil.cli.options.run import SessionRun
    from simil.session.inputs import OpenInput
    from simil.tasks.classification import Classification
    from simil.tasks.classifiers import ClassificationMethod, MethodChoice
    from simil.tasks.corpus import Corpus
    from simil.tasks.evaluation.classification_report import Evaluation
    from simil.tasks.labels import LabelDescription
    from simil.tasks.stored_corpus import StoredCorpus

__all__ = ["classify"]

log = logging.getLogger("simil")

_AUTO = "auto"
_LABEL_FIELD = "label"
_PER_TEXT = 1000  # bytes of its scores and predictions


@expanded
def classify(
    files: opt.Files = None,
    label: Annotated[
        list[str] | None,
        Option(
            "--label",
            metavar="NAME[=TEXT]",
            help="A label, with an optional description of what it means; may be repeated.",
        ),
    ] = None,
    examples: Annotated[
        str | None,
        Option(
            "--examples",
            metavar="FILE",
            help="Learn the labels from labelled texts: csv, tsv, json, jsonl or saved vectors.",
        ),
    ] = None,
    label_field: Annotated[
        str | None,
        Option("--label-field", metavar="NAME", help="Column or key that holds the label.", default="label"),
    ] = None,
    method: Annotated[
        str | None,
        Option(
            "--method",
            metavar="METHOD",
            help="How to learn from examples; auto picks the most accurate method by cross-validation.",
            choices=("auto", "centroid", "knn", "logistic"),
            default="auto",
        ),
    ] = None,
    k: Annotated[
        int | None,
        Option("-k", metavar="N", min=1, help="Number of examples that vote, for knn.", default="5"),
    ] = None,
    top: Annotated[
        int | None, Option("--top", metavar="N", min=1, help="Show the N best labels of each text.")
    ] = None,
    threshold: Annotated[
        float | None,
        Option(
            "--threshold",
            metavar="X",
            help=("Label a text `unknown` if its score is below X; exit with 1 if that is every text."),
        ),
    ] = None,
    evaluate: Annotated[
        bool,
        Option(
            "--evaluate",
            help="Compare the results with the labels in the input: accuracy, scores for each label, "
            "confusion matrix.",
        ),
    ] = False,
    sort: opt.Sort = False,
    output: opt.Output = None,
    form: opt.Form = None,
    whole: opt.Whole = False,
    *,
    model: ModelFlags,
    reading: InputFlags,
    running: RunFlags,
) -> None:
    """Assign each text the label that fits best, by descriptions or by examples.

    simil classify --label bug --label "wish=asks for something new" issues.txt
    · simil classify --examples labelled.tsv new.txt
    """
    from simil.cli.commands.classify_view import show_evaluation, show_predictions
    from simil.cli.options.run import open_run
    from simil.cli.output.annotated_rows import keeps_rows
    from simil.cli.output.output_file import open_output
    from simil.cli.output.rows import form_of

    values.check_threshold(threshold)
    if evaluate and top is not None:
        raise UsageError("--evaluate and --top contradict each other", hint="pass one of them")
    if label_field is not None and examples is None and not evaluate:
        raise UsageError("--label-field is for --examples and --evaluate", hint="leave it out")
    classifier = _Classifier(examples, label or [], method, k, label_field or _LABEL_FIELD, threshold)
    shown_as = form_of(form, output)
    with open_run(model, running, on_error=reading.on_error) as run:
        corpus, classified = classifier.applied(
            run, files or [], reading, whole=whole, labelled=evaluate, keeps=keeps_rows(shown_as)
        )
        _report_choice(classified.choice)
        with open_output(output) as stream:
            if evaluate:
                found = _evaluated(corpus, classified, classifier.field)
                method, stamp = classified.method, corpus.model
                show_evaluation(found, shown_as, stream, method=method, model=stamp)
                return
            show_predictions(corpus, classified, shown_as, stream, top=top, sort=sort)
    if len(corpus) and not classified.any_known():
        raise NegativeAnswer


class _Classifier:
    """A classifier: descriptions of labels, or examples to learn from."""

    def __init__(
        self,
        examples: str | None,
        labels: Sequence[str],
        method: str | None,
        k: int | None,
        field: str,
        threshold: float | None,
    ) -> None:
        from simil.tasks.classifiers import NEIGHBOURS
        from simil.tasks.labels import parse_descriptions

        if examples is not None and labels:
            raise UsageError("--label and --examples contradict each other", hint="pass one of them")
        if examples is None and not labels:
            raise NothingGiven("there are no labels", hint="pass --label at least twice, or --examples FILE")
        if examples is None and (method is not None or k is not None):
            option = "-k" if method is None else "--method"
            raise UsageError(f"{option} is for --examples", hint="leave it out")
        self._examples = examples
        self._descriptions: list[LabelDescription] = parse_descriptions(labels)
        if labels and threshold is None and len({item.label for item in self._descriptions}) < 2:
            raise UsageError(
                f"{self._descriptions[0].label!r} is the only label", hint="give another, or a --threshold"
            )
        self._method = _method_named(method)
        if k is not None and self._method not in (None, "knn"):
            raise UsageError(f"-k is for knn, not for {self._method}", hint="leave it out")
        self._k = k or NEIGHBOURS
        self._threshold = threshold
        self.field = field

    def applied(
        self,
        run: SessionRun,
        files: Sequence[str],
        reading: InputFlags,
        *,
        whole: bool,
        labelled: bool,
        keeps: bool,
    ) -> tuple[Corpus, Classification]:
        """Return the texts of `files` and their labels; with `labelled`, only texts that have one already.

        `keeps` says whether rows are to come back as they were read.
        """
        from simil.embedders.base import Kind
        from simil.session.inputs import without_fields
        from simil.tasks.classification import classify_by_descriptions, classify_by_examples
        from simil.tasks.classifiers import ClassificationMethod

        if (labelled or self._examples is not None) and self.field in (reading.field or ["text"]):
            raise UsageError(
                f"the text and the label cannot both be in {self.field!r}",
                hint="name another --field or --label-field",
            )
        session = run.session
        # Rows without a label are left out of an evaluation.
        rows = keeps and not labelled
        options = reading.options(whole=whole, all_fields=labelled or keeps, all_rows=rows)
        given = session.open(files, options)
        if self._examples is None:
            corpus = self._given(run, given, labelled=labelled)
            texts = [item.text for item in self._descriptions]
            described = session.embed(values.given(texts, "--label", values.refuse_blank), Kind.SYMMETRIC)
            if len(described) < len(texts):
                raise UsageError("a label needs its description", hint="shorten it")
            owners = [item.label for item in self._descriptions]

            def by_descriptions(part: Corpus) -> Classification:
                return classify_by_descriptions(part, described, owners, threshold=self._threshold)

            return _classified(corpus, len(owners), by_descriptions)
        asked = session.open(
            [self._examples], replace(reading, id_field=None).beside(self._examples, all_fields=True)
        )
        given = without_fields(given)  # Of two inputs, --field is for the one that has fields.
        # Saved vectors are read first, since they name the model.
        if given.holds_vectors and not asked.holds_vectors:
            corpus = self._given(run, given, labelled=labelled)
            examples = self._corpus(run, asked, labelled=True)
        else:
            examples = self._corpus(run, asked, labelled=True)
            corpus = self._given(run, given, labelled=labelled)
        names = _labels_of(examples, self.field)
        learnt: list[Classification] = []

        def by_examples(part: Corpus) -> Classification:
            # What cross-validation has chosen once holds for all parts.
            method = ClassificationMethod(learnt[0].method) if learnt else self._method
            found = classify_by_examples(
                part, examples, names, method=method, k=self._k, threshold=self._threshold
            )
            learnt[:] = [found]
            return found

        return _classified(corpus, len({*names}), by_examples)

    def _given(self, run: SessionRun, opened: OpenInput, *, labelled: bool) -> Corpus | StoredCorpus:
        """Return the texts to classify; with `labelled`, all that have a label have to fit in memory."""
        stored = None if labelled else run.session.larger_than_memory(opened, beside=_PER_TEXT)
        if stored is None:
            return self._corpus(run, opened, labelled=labelled)
        name, count = stored.stored.name, f"{len(stored):,}"
        log.warning("%s (%s texts) is larger than memory: classified block by block", name, count)
        return stored

    def _corpus(self, run: SessionRun, opened: OpenInput, *, labelled: bool) -> Corpus:
        from simil.tasks.labels import corpus_with_labels, with_labels
        from simil.texts import InputFormat

        on_error = run.notes.on_error
        if opened.holds_vectors:
            saved = run.session.corpus(opened)
            return corpus_with_labels(saved, self.field, on_error=on_error) if labelled else saved
        texts = run.session.texts(opened)
        if labelled:
            forms = opened.formats
            if InputFormat.TEXT in forms:
                plain = next(one.source for one in opened.sources if one.format.name == InputFormat.TEXT)
                raise UsageError(
                    f"{plain.name} is plain text, which has no labels",
                    hint="pass --input-format csv, tsv, json or jsonl",
                )
            table = not forms.isdisjoint((InputFormat.CSV, InputFormat.TSV))
            texts = with_labels(texts, self.field, on_error=on_error, table=table)
        return run.session.corpus(opened, texts=texts)


def _classified(
    corpus: Corpus | StoredCorpus, labels: int, classify: Callable[[Corpus], Classification]
) -> tuple[Corpus, Classification]:
    from simil.tasks.corpus import Corpus as InMemory

    if isinstance(corpus, InMemory):
        return corpus, classify(corpus)
    from simil.tasks.stored_classes import classify_in_blocks

    return corpus.corpus, classify_in_blocks(corpus, labels, classify)


def _method_named(name: str | None) -> ClassificationMethod | None:
    from simil.tasks.classifiers import ClassificationMethod

    if name is None or name == _AUTO:
        return None
    values.check_choice("--method", name, [_AUTO, *ClassificationMethod])
    return ClassificationMethod(name)


def _labels_of(corpus: Corpus, field: str) -> list[str]:
    from simil.tasks.labels import label_of

    return [label_of(text.fields, field) for text in corpus.texts]


def _report_choice(choice: MethodChoice | None) -> None:
    if choice is None:
        return
    if not choice.folds:
        log.warning(
            "%s is used: no label has two examples, so none can be held out to choose a method", choice.method
        )
        return
    how = "leaving one out" if choice.folds == choice.held_out else f"{choice.folds}-fold cross-validation"
    accuracies = ", ".join(f"{method} {share:.3f}" for method, share in choice.accuracies.items())
    log.warning(
        "%s is used, chosen by %s of %d examples (accuracy: %s)",
        choice.method, how, choice.held_out, accuracies,
    )  # fmt: skip


def _evaluated(corpus: Corpus, classified: Classification, field: str) -> Evaluation:
    from simil.tasks.classification import UNKNOWN
    from simil.tasks.evaluation.classification_report import evaluate

    if not len(corpus):
        raise InputError("there are no labelled texts to evaluate with")
    truth = _labels_of(corpus, field)
    open_ended = classified.threshold is not None and UNKNOWN not in classified.labels
    known = {*classified.labels, *([UNKNOWN] if open_ended else [])}
    strange = Counter(name for name in truth if name not in known)
    if strange:
        names = ", ".join([repr(name) for name, _ in strange.most_common(5)] + ["…"] * (len(strange) > 5))
        many = strange.total()
        log.warning(
            "%s a label that is not among the choices (%s) and count%s as wrong",
            "1 text has" if many == 1 else f"{many} texts have", names, "s" if many == 1 else "",
        )  # fmt: skip
    predicted = [prediction.label for prediction in classified.best()]
    return evaluate(truth, predicted, abstained=UNKNOWN if open_ended else None)
