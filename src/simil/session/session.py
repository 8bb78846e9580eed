"""What one run of a command opens and has to close: its texts, its model, its notes."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from simil.cli.options import values
from simil.cli.options.groups import ModelFlags, RunFlags, start
from simil.cli.options.run import Run
from simil.cli.output.notes import Notes, tell_usage
from simil.cli.output.progress_bar import terminal_progress
from simil.embedders.base import Embedder, Kind
from simil.errors import ModelMismatch, UsageError
from simil.models.catalog import find_by_stamp
from simil.session.inputs import Inputs, open_inputs
from simil.tasks.corpus import Corpus, check_models, embed_corpus, saved_corpus
from simil.tasks.embedding import EmbedOptions
from simil.texts import Text, count_roughly, read_texts

if TYPE_CHECKING:
    from simil.progress import Total
    from simil.texts import ReadOptions

__all__ = ["Session", "open_session"]

log = logging.getLogger("simil")

_Told = TypeVar("_Told")


@contextmanager
def open_session(
    model: ModelFlags, running: RunFlags, *, on_error: str, normalize: bool = True, nulls: bool = False
) -> Iterator[Session]:
    """Give the session of one run; at the end of a block that ends well, say what was left out.

    Without `normalize` the model leaves vectors as long as it makes them; `nulls` tells that the output
    has a form for texts that failed.
    """
    with start(model, running) as run:
        pinned = model.model is not None
        notes = Notes(on_error, nulls=nulls)
        session = Session(run, model.dimensions, pinned=pinned, normalize=normalize, notes=notes)
        try:
            yield session
        finally:
            session.close()
        session.finish()


class Session:
    """Gives a command its texts and their vectors, all by one model, which is opened once it is needed."""

    def __init__(
        self, run: Run, dimensions: int | None, *, pinned: bool, normalize: bool, notes: Notes
    ) -> None:
        """Take the settings of a run; `pinned` tells that the command line names a model."""
        self.run = run
        self.notes = notes
        self._dimensions = dimensions
        self._pinned = pinned
        self._normalize = normalize
        self._embedder: Embedder | None = None
        self._stamps: set[str | None] = set()
        self._width: int | None = None
        self._stdin_taken = False

    @property
    def model(self) -> str | None:
        """The model of all vectors so far, None where files do not say."""
        return next(iter(self._stamps), None)

    def inputs(self, files: Sequence[str], reading: ReadOptions) -> Inputs:
        """Look at what `files` hold; none is stdin, which one run can read once."""
        if "-" in (files or ["-"]):
            if self._stdin_taken:
                raise UsageError("stdin can be read only once", hint="name a file for one of the two")
            self._stdin_taken = True
        values.tell_of_stdin(files or ["-"])
        return open_inputs(files, reading)

    def read(
        self, inputs: Inputs, reading: ReadOptions, *, left_out: Callable[[], None] = lambda: None
    ) -> Iterator[Text]:
        """Return the texts of `inputs` as they come; blank and bad ones go to the notes.

        `left_out` is called for each of these, between the texts that it stands between.
        """
        on_error = self.notes.on_error
        return read_texts(
            inputs.sources,
            reading,
            on_blank=_both(left_out, self.notes.blank),
            on_error=_both(left_out, on_error) if on_error else None,
            stdin=inputs.stdin,
        )

    def corpus(
        self,
        files: Sequence[str],
        reading: ReadOptions,
        kind: Kind = Kind.SYMMETRIC,
        *,
        what: str = "embedding",
    ) -> Corpus:
        """Return the texts or saved vectors of `files` with their vectors, all of length 1.

        `kind` says what they are to the model, `what` is shown beside the progress bar. Raises
        `ModelMismatch` where they do not go with what this session gave before.
        """
        return self.corpus_of(self.inputs(files, reading), reading, kind, what=what)

    def corpus_of(
        self,
        inputs: Inputs,
        reading: ReadOptions,
        kind: Kind = Kind.SYMMETRIC,
        *,
        what: str = "embedding",
        texts: Iterable[Text] | None = None,
    ) -> Corpus:
        """Return what `corpus` does, of files that were looked at already.

        `texts` are those of `inputs` where the caller has a hand in them on their way.
        """
        if inputs.forms:
            return self.saved(inputs)
        given = self.read(inputs, reading) if texts is None else texts
        return self.embed(given, kind, total=lambda: count_roughly(inputs.sources, reading), what=what)

    def saved(self, inputs: Inputs) -> Corpus:
        """Return the vectors of files, as `corpus` does."""
        corpus = saved_corpus(inputs.vector_files(), self._dimensions)
        if len(corpus):
            self._meet(corpus.model, corpus.vectors.shape[1])
        return corpus

    def embed(
        self,
        texts: Iterable[Text],
        kind: Kind = Kind.SYMMETRIC,
        *,
        total: Total = None,
        what: str = "embedding",
    ) -> Corpus:
        """Return `texts` with their vectors, as `corpus` does."""
        embedder = self.embedder()
        with terminal_progress(quiet=self.run.quiet)(
            what, total=total, unit="texts", status=embedder.status
        ) as advance:
            corpus = embed_corpus(
                texts,
                embedder,
                EmbedOptions(kind, self._dimensions),
                on_error=self.notes.on_error,
                advance=advance,
            )
        if len(corpus):
            self._meet(corpus.model, corpus.vectors.shape[1])
        return corpus

    def embedder(self) -> Embedder:
        """Return the model, opened at the first call; saved vectors that came before say which it is.

        That is so where the user names none and it runs on this machine; where he does, the two must agree.
        """
        from simil.embedders.factory import open_embedder

        if self._embedder is None:
            settings = self.run.settings
            known = find_by_stamp(self.model) if self.model else None
            if settings.model is None and known is not None and known.provider != "openai":
                settings = dataclasses.replace(settings, model=known.name)
            self._embedder = open_embedder(
                settings,
                dimensions=self._dimensions,
                normalize=self._normalize,
                progress=terminal_progress(quiet=self.run.quiet),
            )
            check_models(self._stamps | {self._embedder.stamp})
        return self._embedder

    def close(self) -> None:
        """Let go of the model, and say what it cost."""
        if self._embedder is not None:
            self._embedder.close()
            tell_usage(self._embedder.usage)

    def finish(self) -> None:
        """Say what was left out; raises `PartlyDone` when texts failed."""
        if self._pinned and self._embedder is None and self._stamps:
            log.warning("the input holds vectors already, so -m has no effect")
        self.notes.finish(self._embedder, warn_of_cut=self.run.settings.overflow == "warn")

    def _meet(self, stamp: str | None, width: int) -> None:
        self._stamps.add(stamp)
        check_models(self._stamps)
        if self._width not in (None, width):
            raise ModelMismatch(
                f"vectors of {self._width} and {width} dimensions cannot be compared",
                hint=f"pass --dimensions {min(self._width or width, width)}",
            )
        self._width = width


def _both(first: Callable[[], None], second: Callable[[_Told], None]) -> Callable[[_Told], None]:
    def both(told: _Told) -> None:
        first()
        second(told)

    return both
