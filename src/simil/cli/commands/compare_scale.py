"""Finds the scale for the scores of `compare`: a saved calibration, or percentiles of a reference."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from simil.config import calibrations_dir
from simil.errors import ModelMismatch, Place, UsageError
from simil.private_files import make_private, write_private

if TYPE_CHECKING:
    from simil.cli.options.groups import InputFlags
    from simil.session.session import Session
    from simil.similarity import Metric
    from simil.tasks.comparison import Comparison
    from simil.tasks.corpus import Corpus
    from simil.tasks.evaluation.calibration import Calibration
    from simil.tasks.evaluation.scales import Scale
    from simil.texts import Text

__all__ = ["ScaleOptions", "Scaling", "save_calibration"]

log = logging.getLogger("simil")

# With fewer random pairs, high percentiles mean little.
_FEW_PAIRS = 1000


class ScaleOptions:
    """The options of `compare` that choose a scale for scores."""

    def __init__(self, calibrated: bool, calibration: Path | None, percentile: str | None) -> None:
        self.calibrated = calibrated or calibration is not None
        self.calibration = calibration
        self.percentile = percentile
        if self.calibrated and percentile is not None:
            raise UsageError("--calibrated and --percentile contradict each other", hint="pass one of them")

    @property
    def is_scale(self) -> bool:
        """Whether any of them was given."""
        return self.calibrated or self.percentile is not None

    def check(self, metric: Metric, *, normalize: bool) -> None:
        """Raise `UsageError` if the scale does not fit how vectors are compared."""
        if self.calibrated and metric != "cosine":
            raise UsageError(f"calibrations are for cosine, not for {metric}", hint="leave out --metric")
        if self.percentile is not None and not normalize and metric != "cosine":
            raise UsageError(
                "--percentile compares vectors of length 1", hint="leave out --no-normalize, or --metric"
            )


class Scaling:
    """Gives the scale, once the model of the vectors is known."""

    def __init__(self, asked: ScaleOptions, session: Session, metric: Metric, reading: InputFlags) -> None:
        """Read the reference, so that errors in it are reported before any work."""
        self._asked = asked
        self._session = session
        self._metric = metric
        self._reference: Corpus | None = None
        self._texts: list[Text] = []
        if asked.percentile is not None:
            from simil.session.inputs import without_fields

            opened = without_fields(session.open([asked.percentile], reading.beside(asked.percentile)))
            if opened.holds_vectors:
                self._reference = session.corpus(opened)
            else:
                self._texts = [*session.texts(opened)]

    def scale(self, model: str | None, dimensions: int) -> Scale | None:
        """Return the scale for scores of such vectors, None if no option asks for one.

        Raises `UsageError` if this model has no calibration, `ModelMismatch` for one of another model.
        """
        if self._asked.calibrated:
            return _calibration(self._asked.calibration, model, str(self._metric), dimensions)
        return None if self._asked.percentile is None else self._percentiles(model)

    def scaled(self, comparison: Comparison) -> Comparison:
        """Return a comparison with its scores on the scale; errors as in `scale`."""
        scale = self.scale(comparison.model, comparison.dimensions)
        return comparison if scale is None else comparison.replaced(scale=scale)

    def _percentiles(self, model: str | None) -> Scale:
        from simil.formats.sources import Source
        from simil.tasks.corpus import check_models
        from simil.tasks.evaluation.percentiles import percentiles

        corpus = self._reference
        if corpus is None:
            corpus = self._session.embed(self._texts, total=len(self._texts), label="reference")
        check_models({model, corpus.model} if len(corpus) else {model})
        source = Source(str(self._asked.percentile))
        name = "stdin" if source.is_stdin else source.label
        found = percentiles(corpus.vectors, self._metric, name)
        few = len(found.ordered) < _FEW_PAIRS
        (log.warning if few else log.info)("percentiles are %s%s", found.source, ", which are few" * few)
        return found


def save_calibration(calibration: Calibration, path: Path | None) -> Path:
    """Write a calibration to `path`, or to where `compare --calibrated` looks; return its path."""
    from simil.cli.output.output_file import open_output

    where = path or _place_of(calibration.model, calibration.metric, calibration.dimensions)
    try:
        if path is None:
            make_private(where.parent.parent, where.parent)
            write_private(where, calibration.to_json())
        else:
            with open_output(path) as stream:
                stream.write(calibration.to_json())
    except (OSError, UsageError) as exc:
        why = exc.message if isinstance(exc, UsageError) else f"cannot be written: {exc.strerror or exc}"
        hint = "name a file with --calibration" if path is None else "check --calibration"
        raise UsageError(f"the calibration {why}", hint=hint, place=Place(str(where))) from exc
    return where


def _calibration(path: Path | None, model: str | None, metric: str, dimensions: int) -> Calibration:
    from simil.tasks.evaluation.calibration import read_calibration

    if model is None and path is None:
        raise ModelMismatch(
            "the vectors do not say which model made them, so no calibration fits them",
            hint="embed them again with simil embed",
        )
    where = path or _place_of(str(model), metric, dimensions)
    try:
        found = read_calibration(where, str(where))
    except FileNotFoundError as exc:
        if path is not None:
            raise UsageError(f"there is no calibration {path}", hint="check --calibration") from exc
        raise UsageError(
            f"there is no calibration of {model} with {dimensions} dimensions",
            hint="learn one from labelled pairs: simil eval PAIRS -m MODEL --save-calibration",
        ) from exc
    found.check(model, dimensions, str(where))
    return found


def _place_of(model: str, metric: str, dimensions: int) -> Path:
    from simil.tasks.evaluation.calibration import calibration_file_name

    return calibrations_dir() / calibration_file_name(model, metric, dimensions)
