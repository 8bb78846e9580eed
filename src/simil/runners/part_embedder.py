"""An actor: reads the texts of a part, embeds them, and writes their vectors."""

from __future__ import annotations

import os
import pickle
import socket
import time
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any

from simil.errors import ModelError, ModelMismatch, SimilError
from simil.foreign import what_was_raised
from simil.runners.input_source import InputSource
from simil.runners.job import EmbedJob, PartReport
from simil.runners.part_writer import FragmentsWriter, part_writer
from simil.runners.slices import slice_texts
from simil.runners.text_progress import ThrottledCount
from simil.runners.worker_settings import WorkerEnvironment, local_settings
from simil.session.session import Session
from simil.tasks.conversion import vector_batch
from simil.tasks.embedding import embed_stream
from simil.texts import Text

if TYPE_CHECKING:
    from simil.embedders.base import Embedder
    from simil.runners.parts import Part

__all__ = ["PartEmbedder"]


class PartEmbedder:
    """Embeds parts, one after another, with one model that stays open.

    What goes wrong is reported like everything else: an exception would be Ray's to print.
    """

    def __init__(self, job: EmbedJob, environment: WorkerEnvironment, counter: Any = None) -> None:
        """Open nothing yet; `counter` is the actor that counts texts, None where nobody looks."""
        environment.apply()
        self._job = job
        self._counter = counter
        self._session: Session | None = None

    def __call__(self, batch: Mapping[str, Any]) -> Mapping[str, Any]:
        """Embed the parts of a batch of Ray's, and return their reports."""
        return {"report": [pickle.dumps(self.embed(pickle.loads(part))) for part in batch["part"]]}

    def embed(self, part: Part) -> PartReport:
        """Embed a part and write it; errors are in the report."""
        report = PartReport(part.number, worker=f"{socket.gethostname()}:{os.getpid()}")
        began = time.perf_counter()
        try:
            self._write(part, report)
        except SimilError as exc:
            report.error = exc
        except Exception as exc:  # noqa: BLE001 (reported, and ends the run)
            report.error = ModelError(f"{part.name} failed on {report.worker}: {what_was_raised(exc)}")
        report.seconds = round(time.perf_counter() - began, 3)
        return report

    def _write(self, part: Part, report: PartReport) -> None:
        embedder = self._embedder(part)
        truncated, used = embedder.truncated, _used(embedder)
        batches = embed_stream(
            self._texts(part, report),
            embedder,
            self._job.wanted,
            on_error=self._on_error(report),
            keeps_failed=self._job.keeps_failed,
            on_unknown=report.note_unknown,
            on_done=ThrottledCount(self._counter).add,
        )
        with part_writer(self._job, part) as writer:
            for batch in batches:
                writer.write(vector_batch(batch.texts, batch.vectors, embedder.stamp))
            for one in part.slices:
                InputSource(one.file, text_limit=self._job.reading.text_limit).check_unchanged()
        report.rows = writer.count
        report.fragments = [*writer.fragments] if isinstance(writer, FragmentsWriter) else []
        report.truncated = embedder.truncated - truncated
        requests, tokens, cost = _used(embedder)
        report.requests, report.tokens = requests - used[0], tokens - used[1]
        report.cost = None if cost is None else cost - (used[2] or 0)

    def _embedder(self, part: Part) -> Embedder:
        """Return the model, which gives the bits that one process gives to these texts.

        One process embeds its first texts with the engine that starts at once, and all others with the one
        for many. So the first part opens the model anew, and actors that begin with another part expect many.
        """
        if self._session is None or part.number == 0:
            if self._session is not None:
                self._session.close()
            self._session = Session(
                local_settings(self._job.settings).replaced(expects_many=part.number > 0),
                dimensions=self._job.wanted.dimensions,
                normalize=self._job.wanted.normalize,
            )
        embedder = self._session.embedder()
        if embedder.stamp != self._job.stamp:
            raise ModelMismatch(
                f"the model is {embedder.stamp} on {socket.gethostname()}, and {self._job.stamp} elsewhere",
                hint="name a revision, as in -m org/name@revision",
            )
        return embedder

    def _on_error(self, report: PartReport) -> Any:
        return None if self._job.on_error == "fail" else report.failed.append

    def _texts(self, part: Part, report: PartReport) -> Iterator[Text]:
        return chain.from_iterable(
            slice_texts(
                one,
                self._job.reading,
                several=self._job.several,
                on_blank=report.note_blank,
                on_error=self._on_error(report),
                keeps_failed=self._job.keeps_failed,
            )
            for one in part.slices
        )


def _used(embedder: Embedder) -> tuple[int, int, float | None]:
    """Return the requests, tokens and cost of an API so far."""
    usage = embedder.usage
    return (0, 0, 0.0) if usage is None else (usage.requests, usage.tokens, usage.cost)
