"""`simil batch`: the batches that `simil embed --batch` has begun."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Annotated

from simil.cli.negative_answer import NegativeAnswer
from simil.cli.options import types as opt
from simil.cli.options import values
from simil.cli.options.declarations import Argument
from simil.cli.options.groups import expanded
from simil.data_stream import stdout

if TYPE_CHECKING:
    from pathlib import Path

    from simil.cli.options.run import SessionRun
    from simil.embedders.openai.batch_api.batch_job import BatchJob
    from simil.tasks.embedding import EmbedOptions

__all__ = ["SUBCOMMANDS"]


_Job = Annotated[
    str, Argument(metavar="OUTPUT", help="The file that was given to -o in simil embed --batch.")
]


@expanded
def list_batches(
    base_url: opt.BaseUrl = None, env_file: opt.EnvFile = None, form: opt.TextOrJson = "text"
) -> None:
    """List the batches of simil at the server, the newest first."""
    from simil.cli.commands.batch_view import batches_json, batches_text
    from simil.session.batch_jobs import batches_of_simil

    values.check_choice("--format", form, ("text", "json"))
    with _embedder_run("openai", base_url, env_file) as run:
        found = [*batches_of_simil(run.session.embedder())]
        stdout().write(batches_json(found) if form == "json" else batches_text(found))


@expanded
def status(
    output: _Job, base_url: opt.BaseUrl = None, env_file: opt.EnvFile = None, form: opt.TextOrJson = "text"
) -> None:
    """Show how far the batches of a job are; exit with 1 while one is not over."""
    from simil.cli.commands.batch_view import batches_json, batches_text

    values.check_choice("--format", form, ("text", "json"))
    with _job(output, base_url, env_file) as job:
        found = [status for _, status in job.statuses() if status is not None]
        stdout().write(batches_json(found) if form == "json" else batches_text(found))
        if not all(each.is_over for each in found) or len(found) < len(job.state.sent):
            raise NegativeAnswer


@expanded
def collect(output: _Job, base_url: opt.BaseUrl = None, env_file: opt.EnvFile = None) -> None:
    """Take the vectors of finished batches into the cache; exit with 1 while one is not over.

    Run the same simil embed again to write the output: it asks for nothing that was computed.
    """
    from simil.cli.commands.batch_view import counts_text

    with _job(output, base_url, env_file) as job:
        counts = job.collect()
        stdout().write(counts_text(counts))
        if counts.over < counts.batches:
            raise NegativeAnswer


@expanded
def cancel(output: _Job, base_url: opt.BaseUrl = None, env_file: opt.EnvFile = None) -> None:
    """Stop the batches of a job, keep the vectors that they have, and forget the job."""
    from simil.cli.commands.batch_view import counts_text

    with _job(output, base_url, env_file) as job:
        counts = job.cancel()
        job.state.remove()
        stdout().write(counts_text(counts))


@contextmanager
def _job(output: str, base_url: str | None, env_file: Path | None) -> Iterator[BatchJob]:
    """Open the job whose output that is, with the model that it was begun with."""
    from simil.embedders.base import Kind
    from simil.session.batch_jobs import batch_job, known_job
    from simil.tasks.embedding import EmbedOptions

    how = known_job(output).how
    wanted = EmbedOptions(Kind(how["kind"]), how["dimensions"], normalize=how["normalize"])
    model = f"openai:{how['model']}"
    with (
        _embedder_run(model, base_url, env_file, how["overflow"], wanted) as run,
        closing(batch_job(run.session.embedder(), output, wanted, how["overflow"])) as job,
    ):
        yield job


@contextmanager
def _embedder_run(
    model: str,
    base_url: str | None,
    env_file: Path | None,
    overflow: str | None = None,
    wanted: EmbedOptions | None = None,
) -> Iterator[SessionRun]:
    from simil.cli.options.run import notes_on_stderr, session_run
    from simil.config import load_settings

    settings = load_settings(model=model, base_url=base_url, env_file=env_file, overflow=overflow)
    with (
        notes_on_stderr(quiet=False, verbose=False),
        session_run(
            settings,
            wanted.dimensions if wanted else None,
            on_error="fail",
            normalize=wanted.normalize if wanted else True,
            quiet=False,
        ) as run,
    ):
        yield run


SUBCOMMANDS = {"list": list_batches, "status": status, "collect": collect, "cancel": cancel}
