"""Calibration: from a model's cosine to the probability that people call two texts alike.

The same cosine means a lot for one model and little for another. Isotonic regression (Zadrozny and Elkan,
2002) fits the non-decreasing map that is closest to people's judgements; applying it needs only NumPy.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from simil.errors import InputError, ModelMismatch, Place

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Calibration", "calibrate", "calibration_file_name", "check_labels", "read_calibration"]

_VERSION = 1
# Despite rounding, the cosine of a text with itself is at least this.
_SAME = 1 - 1e-6
_MOST_BYTES = 1 << 24  # of a file; a device never ends


@dataclass(frozen=True, slots=True)
class Calibration:
    """A map from scores to probabilities: piecewise linear between these points, constant beyond them.

    It holds for vectors of one model, dimension and metric. It was learnt from `pairs` pairs of the file
    `learnt_from`, on `date` (YYYY-MM-DD).
    """

    model: str
    metric: str
    dimensions: int
    pairs: int
    learnt_from: str
    date: str
    scores: Sequence[float]
    probabilities: Sequence[float]

    @property
    def name(self) -> str:
        """The name of a value on this scale."""
        return "probability"

    @property
    def top(self) -> float:
        """The highest value."""
        return 1.0

    @property
    def decimals(self) -> int:
        """How many decimals plain text shows."""
        return 6

    @property
    def source(self) -> str:
        """What the scale was made from, in words."""
        return f"calibrated on {self.pairs:,} pairs of {self.learnt_from}"

    @property
    def facts(self) -> Mapping[str, object]:
        """What the scale is and what it was made from, for JSON."""
        return {"calibrated": {"pairs": self.pairs, "learnt_from": self.learnt_from, "date": self.date}}

    def apply(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probabilities of scores, float32 of their shape."""
        import numpy as np

        return np.interp(_snapped(scores), self.scores, self.probabilities).astype(np.float32)

    def check(self, model: str | None, dimensions: int, place: str) -> None:
        """Raise `ModelMismatch` unless the calibration is for this model and dimension."""
        if (self.model, self.dimensions) != (model, dimensions):
            raise ModelMismatch(
                f"the calibration is for {self.model} with {self.dimensions} dimensions, but the vectors are "
                f"from {model or 'an unknown model'} with {dimensions}",
                hint="learn one for this model with simil eval --save-calibration",
                place=Place(place),
            )

    def to_json(self) -> bytes:
        """Return the content of a file for `read_calibration`."""
        import orjson

        return (
            orjson.dumps({"simil_calibration": _VERSION, **asdict(self)}, option=orjson.OPT_INDENT_2) + b"\n"
        )


def check_labels(positive: NDArray[np.bool_]) -> None:
    """Raise `InputError` if all pairs [n] are positive, or none: there is nothing to learn from them."""
    if positive.all() or not positive.any():
        which = "every pair is" if positive.all() else "no pair is"
        raise InputError(f"{which} alike, but a calibration needs both kinds", hint="see --positive-from")


def calibrate(
    cosines: NDArray[np.float32],
    positive: NDArray[np.bool_],
    *,
    model: str,
    dimensions: int,
    learnt_from: str,
    date: str,
) -> Calibration:
    """Return the calibration learnt from the cosines [n] of pairs and whether people call them alike [n].

    Adds one pair: a text with itself, which is alike. Without it, two equal texts would get the probability
    of the highest pair in the data. Raises `InputError` as `check_labels` does.
    """
    import numpy as np
    from sklearn.isotonic import IsotonicRegression

    check_labels(positive)
    fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
    fitted.fit(
        np.append(_snapped(cosines).astype(np.float64), 1.0), np.append(positive.astype(np.float64), 1.0)
    )
    return Calibration(
        model,
        "cosine",
        dimensions,
        len(cosines),
        learnt_from,
        date,
        fitted.X_thresholds_.tolist(),
        fitted.y_thresholds_.tolist(),
    )


def _snapped(cosines: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return cosines, with those of a text with itself set to 1."""
    import numpy as np

    return np.where(cosines >= _SAME, np.float32(1), cosines)


def calibration_file_name(model: str, metric: str, dimensions: int) -> str:
    """Return the file name of the calibration for this model, metric and dimension."""
    readable = re.sub(r"[^A-Za-z0-9._@+-]+", "_", model)[-80:]
    key = hashlib.sha256(f"{model}\0{metric}\0{dimensions}".encode()).hexdigest()[:12]
    return f"{readable}-{metric}-{dimensions}-{key}.json"


def read_calibration(path: Path, name: str) -> Calibration:
    """Return the calibration in a file, which messages call `name`.

    Raises `InputError` if the file holds no calibration, `FileNotFoundError` if there is no file.
    """
    import orjson

    try:
        with path.open("rb") as file:
            value = orjson.loads(file.read(_MOST_BYTES))
        if value.pop("simil_calibration") != _VERSION:
            raise ValueError
        found = Calibration(**value)
        _check_types(found)
        _check_points(found)
    except FileNotFoundError:
        raise
    except OSError as exc:
        raise InputError(f"cannot be read: {exc.strerror or exc}", place=Place(name)) from exc
    except (ValueError, TypeError, KeyError, AttributeError) as exc:
        raise InputError(
            "is not a calibration file of simil",
            hint="learn one with simil eval --save-calibration",
            place=Place(name),
        ) from exc
    return found


def _check_types(found: Calibration) -> None:
    """Raise `TypeError` for values that `to_json` does not write; true and false are not numbers."""
    words = (found.model, found.metric, found.learnt_from, found.date)
    counts, points = (found.dimensions, found.pairs), (found.scores, found.probabilities)
    if not (
        all(type(word) is str for word in words)
        and all(type(count) is int for count in counts)
        and all(type(values) is list and {*map(type, values)} <= {int, float} for values in points)
    ):
        raise TypeError


def _check_points(found: Calibration) -> None:
    """Raise `ValueError` unless the points make a non-decreasing map to probabilities."""
    import numpy as np

    scores, probabilities = np.asarray(found.scores, float), np.asarray(found.probabilities, float)
    both = np.concatenate([scores, probabilities])
    rising = (np.diff(scores) >= 0).all() and (np.diff(probabilities) >= 0).all()
    if len(scores) != len(probabilities) or not len(scores) or not np.isfinite(both).all() or not rising:
        raise ValueError
    if probabilities[0] < 0 or probabilities[-1] > 1 or found.metric != "cosine":
        raise ValueError
