"""Writes vectors in the form of a file, or a preview of them for a person at a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simil.cli.options.values import check_choice
from simil.cli.output.cells import fit, visible
from simil.cli.output.output_file import check_output, is_terminal, open_outputs, width
from simil.data_stream import stdout
from simil.errors import UsageError
from simil.formats.remote_paths import address_of, check_online
from simil.frozen import Frozen

if TYPE_CHECKING:
    from simil.tasks.embedding import EmbedOptions
    from simil.vectors import VectorBatch, VectorFormat
    from simil.vectors.embedding_facts import EmbeddingFacts
    from simil.vectors.writer import VectorWriter

__all__ = ["VectorTarget", "vector_form", "vector_target", "write_vectors"]

# Numbers of each vector that the preview shows.
_SHOWN = 4


def vector_form(name: str | None, output: Path | None) -> VectorFormat | None:
    """Return the format to write, None for the preview on a terminal.

    Raises `UsageError` for an unknown format or suffix, and for binary output to a terminal.
    """
    from simil.cli.output.rows import check_binary, form_of_suffix
    from simil.vectors import VectorFormat

    if name is not None:
        check_choice("--format", name, VectorFormat)
    if name == VectorFormat.LANCE and output is None:
        raise UsageError("a Lance dataset is a folder", hint="pass -o NAME.lance")
    if output is not None:
        return VectorFormat(name) if name else VectorFormat(form_of_suffix(output, [*VectorFormat]))
    if name is not None:
        check_binary(name, output)
    if name is None and is_terminal():
        return None
    return VectorFormat(name or "json")


class VectorTarget(Frozen):
    """Where vectors go, and how: `form` is None for the preview, `append` adds them to a Lance dataset."""

    form: VectorFormat | None
    output: Path | None
    append: bool = False

    @property
    def path(self) -> str:
        """The path or address after -o."""
        return address_of(self.output) if self.output else "-"

    def check(self) -> None:
        """Raise `UsageError` where nothing can be written, before vectors are paid for."""
        if self.output is None:
            return
        if self.form == "lance":
            from simil.vectors.lance_form import check_lance_target

            check_lance_target(self.path)
        else:
            check_output(self.output)

    def write(
        self,
        batches: Iterator[VectorBatch],
        model: str | None,
        types: Mapping[str, Any] | None = None,
        made: EmbedOptions | None = None,
    ) -> None:
        """Write them; all else is as in `write_vectors`."""
        facts = None
        if self.form == "lance" and made is not None:
            from simil.vectors.embedding_facts import EmbeddingFacts

            facts = EmbeddingFacts(made.kind, made.normalize, tuple(made.ignored))
        write_vectors(batches, self.form, self.output, model, types, facts=facts, append=self.append)


def vector_target(name: str | None, output: Path | None, *, append: bool, offline: str) -> VectorTarget:
    """Return what `--format`, `-o` and `--append` say; errors as in `vector_form`.

    Raises `UsageError`, too, for rows to be added to anything but a dataset, and for an address in offline
    mode.
    """
    form = vector_form(name, output)
    if append and (form != "lance" or output is None):
        raise UsageError("--append adds to Lance datasets only", hint="pass -o NAME.lance")
    if output is not None:
        check_online(address_of(output), offline=offline)
    return VectorTarget(form, output, append)


def write_vectors(
    batches: Iterator[VectorBatch],
    form: VectorFormat | None,
    output: Path | None,
    model: str | None,
    types: Mapping[str, Any] | None = None,
    *,
    facts: EmbeddingFacts | None = None,
    append: bool = False,
) -> None:
    """Write vectors to `output` or stdout, or a preview to the terminal if `form` is None.

    `model` made them; None if that is unknown. `types` are those that fields have in their source, for
    formats that have types. `facts` are how they were embedded, if that is known; with `append`, they are
    added to a Lance dataset.
    """
    from simil.vectors import VectorFormat, sidecar_path
    from simil.vectors.vector_files import open_writer

    if form is None:
        _copy(batches, _Preview(model))
        return
    if form is VectorFormat.LANCE and output is not None:
        from simil.vectors.lance_form import open_lance_writer

        path = address_of(output)
        with open_lance_writer(path, model, types, facts, append=append) as dataset:
            _copy(batches, dataset)
        return
    paths = [output] if output else []
    if output and form is VectorFormat.NPY:
        paths.append(sidecar_path(output))
    with open_outputs(paths) as streams:
        stream = streams[0] if streams else stdout().buffer
        sidecar = streams[1] if len(streams) > 1 else None
        with open_writer(form, stream, model=model, sidecar=sidecar, types=types) as writer:
            _copy(batches, writer)
        stream.flush()


def _copy(batches: Iterator[VectorBatch], writer: VectorWriter | _Preview) -> None:
    for batch in batches:
        writer.write(batch)
        stdout().flush()
    writer.close()


class _Preview:
    """Prints the id, the text and the first numbers of each vector; has the methods of a `VectorWriter`."""

    def __init__(self, model: str | None) -> None:
        self._model = model or "an unknown model"
        self._count = 0
        self._dimensions = 0

    def write(self, batch: VectorBatch) -> None:
        """Print one line per text."""
        columns = width()
        shown = _SHOWN if columns >= 72 else 2
        room = columns - 8 - 8 * shown - 4
        for id_, text, vector in zip(batch.ids, batch.texts, batch.vectors, strict=True):
            failed = not len(vector) or isnan(vector[0])
            numbers = "failed" if failed else " ".join(f"{value:7.4f}" for value in vector[:shown])
            more = " …" if len(vector) > shown and not failed else ""
            stdout().write(f"{fit(id_, 6)}  {fit(text or '', room)}  {numbers}{more}\n")
        self._count += len(batch)
        self._dimensions = batch.vectors.shape[1]

    def close(self) -> None:
        """Print what these are and how to save them."""
        many = "1 vector" if self._count == 1 else f"{self._count} vectors"
        made = f"{many} of {self._dimensions} dimensions by {visible(self._model)}"
        sys.stderr.write(f"{made}; save them with > FILE or -o FILE\n")
