"""An actor: reads the texts of a part, embeds them, and writes their vectors."""

from __future__ import annotations

import os
import pickle
import socket
import time
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from simil._version import __version__
from simil.errors import ModelError, ModelMismatch, SimilError
from simil.foreign import what_was_raised
from simil.runners.job import EmbedJob, PartReport
from simil.runners.node_settings import settings_here
from simil.runners.part_writer import open_part
from simil.runners.parts import Part
from simil.runners.slices import slice_texts
from simil.session.session import Session
from simil.tasks.conversion import vector_batch
from simil.tasks.embedding import embed_stream
from simil.texts import Text

__all__ = ["PartEmbedder"]


class PartEmbedder:
    """Embeds parts, one after another, with one model that stays open.

    What goes wrong is reported like everything else: an exception would be Ray's to print.
    """

    def __init__(self, job: EmbedJob) -> None:
        """Open nothing yet."""
        self._job = job
        self._session = Session(
            settings_here(job.settings), dimensions=job.wanted.dimensions, normalize=job.wanted.normalize
        )

    def __call__(self, batch: Mapping[str, Any]) -> Mapping[str, Any]:
        """Embed the parts of a batch of Ray's, and return their reports."""
        return {"report": [pickle.dumps(self.embed(pickle.loads(part))) for part in batch["part"]]}

    def embed(self, part: Part) -> PartReport:
        """Embed a part and write it; errors are in the report."""
        report = PartReport(part.number, worker=f"{socket.gethostname()}:{os.getpid()}")
        began = time.perf_counter()
        try:
            self._check_version()
            self._write(part, report)
        except SimilError as exc:
            report.error = exc
        except Exception as exc:  # noqa: BLE001 (reported, and ends the run)
            report.error = ModelError(f"{part.name} failed: {what_was_raised(exc)}")
        report.seconds = time.perf_counter() - began
        return report

    def _check_version(self) -> None:
        if __version__ != self._job.version:
            raise ModelError(
                f"simil is {self._job.version} here and {__version__} on {socket.gethostname()}",
                hint="install the same version on all machines",
            )

    def _write(self, part: Part, report: PartReport) -> None:
        from simil.vectors.arrow_form import ArrowWriter

        job = self._job
        embedder = self._session.embedder()
        if embedder.stamp != job.stamp:
            raise ModelMismatch(
                f"the model is {embedder.stamp} on {socket.gethostname()}, and {job.stamp} elsewhere",
                hint="name a revision, as in -m org/name@revision",
            )
        truncated = embedder.truncated
        batches = embed_stream(
            self._texts(part, report),
            embedder,
            job.wanted,
            on_error=None if job.on_error == "fail" else report.failed.append,
            keeps_failed=job.keeps_failed,
            on_unknown=report.note_unknown,
        )
        with (
            open_part(job.output, part.name) as stream,
            ArrowWriter(stream, embedder.stamp, "parquet", {}, job.columns) as writer,
        ):
            for batch in batches:
                writer.write(vector_batch(batch.texts, batch.vectors, embedder.stamp))
        report.rows = writer.count
        report.truncated = embedder.truncated - truncated

    def _texts(self, part: Part, report: PartReport) -> Iterator[Text]:
        job = self._job
        return chain.from_iterable(
            slice_texts(
                one,
                job.reading,
                several=job.several,
                on_blank=report.note_blank,
                on_error=None if job.on_error == "fail" else report.failed.append,
                keeps_failed=job.keeps_failed,
            )
            for one in part.slices
        )
