"""`simil embed --batch`: the vectors of a direct run, at half the price."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from simil.cli.output.progress_bar import terminal_progress
from simil.errors import Place, UsageError

if TYPE_CHECKING:
    from simil.cli.options.run import SessionRun
    from simil.cli.output.vector_output import VectorTarget
    from simil.session.inputs import OpenInput
    from simil.tasks.embedding import EmbedOptions
    from simil.texts import ReadOptions, Text

__all__ = ["embed_in_batches"]

log = logging.getLogger("simil")


def embed_in_batches(
    run: SessionRun,
    files: Sequence[str],
    reading: ReadOptions,
    wanted: EmbedOptions,
    target: VectorTarget,
    beside: Mapping[str, object],
    write: Callable[[Iterator[Text], OpenInput], None],
) -> None:
    """Wait until all texts of `files` have their vectors in the cache, by batches, then `write` the output.

    `beside` are options that do not go with it, by their names; one that is given raises `UsageError`.
    """
    from simil.session.batch_jobs import batch_job, groups_of_texts

    _check(run, files, target, beside)
    target.check()
    embedder = run.session.embedder()

    def read() -> Iterator[Sequence[str]]:
        opened = run.session.open(files, reading)
        if opened.holds_vectors:
            raise UsageError("the input holds vectors already: there is nothing to embed")
        # What is wrong with a text is told when the output is written.
        return groups_of_texts(opened.texts(on_error=lambda error: None))

    progress = terminal_progress(quiet=run.quiet)
    with closing(batch_job(embedder, target.path, wanted, run.settings.overflow)) as job:
        try:
            job.run(read, progress)
        except KeyboardInterrupt:
            log.warning(
                "the batches go on: run the same command again, or simil batch status %s", target.path
            )
            raise
        opened = run.session.open(files, reading)
        texts = run.session.texts(opened, keeps_failed=run.notes.keeps_failed)
        write(texts, opened)
        job.state.remove()


def _check(run: SessionRun, files: Sequence[str], target: VectorTarget, beside: Mapping[str, object]) -> None:
    for option, value in beside.items():
        if value:
            raise UsageError(f"{option} cannot be combined with --batch", hint="leave out one of them")
    if target.output is None:
        raise UsageError(
            "--batch needs -o FILE: its state is kept beside it", hint="pass -o, as in -o vectors.parquet"
        )
    if not run.settings.cache:
        raise UsageError("--batch keeps vectors in the cache, which is off", hint="leave out --no-cache")
    for name in files or ["-"]:
        if name == "-" or (Path(name).exists() and not Path(name).is_file() and not Path(name).is_dir()):
            raise UsageError("--batch reads its input more than once", hint="name a file", place=Place(name))
