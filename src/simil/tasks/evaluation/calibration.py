"""From a cosine to the probability that people call two texts alike, learnt for one model from pairs.

The same cosine means much for one model and little for another. Isotonic regression (Zadrozny and Elkan,
2002) finds the map that rises and comes nearest to what people say; applying it needs NumPy only.
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

__all__ = ["Calibration", "calibrate", "calibration_name", "check_kinds", "read_calibration"]

_FORM = 1
# What rounding makes of the cosine of a text with itself is at least this.
_SAME = 1 - 1e-6


@dataclass(frozen=True, slots=True)
class Calibration:
    """A map from scores to probabilities, by straight lines between these points, constant beyond them.

    It holds for vectors of one model and length under one metric. `pairs` is how many it was learnt from, in
    the file `learnt_from`, on `date` (YYYY-MM-DD).
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
        """What a value is called."""
        return "probability"

    @property
    def top(self) -> float:
        """The highest value."""
        return 1.0

    @property
    def decimals(self) -> int:
        """How many decimals of a value lines of text show."""
        return 6

    @property
    def source(self) -> str:
        """What it was made of, for a person."""
        return f"calibrated on {self.pairs:,} pairs of {self.learnt_from}"

    @property
    def facts(self) -> Mapping[str, object]:
        """What it is and what it was made of, for machines."""
        return {"calibrated": {"pairs": self.pairs, "learnt_from": self.learnt_from, "date": self.date}}

    def apply(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probabilities of scores, float32 of their shape."""
        import numpy as np

        return np.interp(_settled(scores), self.scores, self.probabilities).astype(np.float32)

    def check(self, model: str | None, dimensions: int, place: str) -> None:
        """Raise `ModelMismatch` unless it is one for vectors of this model and length."""
        if (self.model, self.dimensions) != (model, dimensions):
            raise ModelMismatch(
                f"the calibration is of {self.model} with {self.dimensions} dimensions, and the vectors are "
                f"of {model or 'an unknown model'} with {dimensions}",
                hint="learn one of this model with simil eval --save-calibration",
                place=Place(place),
            )

    def to_json(self) -> bytes:
        """Return the bytes of a file that `read_calibration` reads."""
        import orjson

        return orjson.dumps({"simil_calibration": _FORM, **asdict(self)}, option=orjson.OPT_INDENT_2) + b"\n"


def check_kinds(alike: NDArray[np.bool_]) -> None:
    """Raise `InputError` where all pairs are alike, or none is: nothing can be learnt of these."""
    if alike.all() or not alike.any():
        which = "every pair is" if alike.all() else "no pair is"
        raise InputError(f"{which} alike, and a calibration needs both kinds", hint="see --positive-from")


def calibrate(
    cosines: NDArray[np.float32],
    alike: NDArray[np.bool_],
    *,
    model: str,
    dimensions: int,
    learnt_from: str,
    date: str,
) -> Calibration:
    """Return the calibration that cosines [n] of pairs and what people say of them [n] make.

    One more pair is counted in: a text with itself, which is alike. Without it two equal texts would get the
    probability of the nearest pair that was judged. Raises what `check_kinds` does.
    """
    import numpy as np
    from sklearn.isotonic import IsotonicRegression

    check_kinds(alike)
    fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
    fitted.fit(np.append(_settled(cosines).astype(np.float64), 1.0), np.append(alike.astype(np.float64), 1.0))
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


def _settled(cosines: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return cosines with those of a text with itself at 1."""
    import numpy as np

    return np.where(cosines >= _SAME, np.float32(1), cosines)


def calibration_name(model: str, metric: str, dimensions: int) -> str:
    """Return the name of the file for vectors of this model and length under this metric."""
    readable = re.sub(r"[^A-Za-z0-9._@+-]+", "_", model)[-80:]
    key = hashlib.sha256(f"{model}\0{metric}\0{dimensions}".encode()).hexdigest()[:12]
    return f"{readable}-{metric}-{dimensions}-{key}.json"


def read_calibration(path: Path, name: str) -> Calibration:
    """Return the calibration in a file, which messages call `name`.

    Raises `InputError` for a file that is none, `FileNotFoundError` where there is no file.
    """
    import orjson

    try:
        value = orjson.loads(path.read_bytes())
        if value.pop("simil_calibration") != _FORM:
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
            "is not a calibration of simil's",
            hint="learn one with simil eval --save-calibration",
            place=Place(name),
        ) from exc
    return found


def _check_types(found: Calibration) -> None:
    """Raise `TypeError` for values that are not what `to_json` writes; true and false are no numbers."""
    words = (found.model, found.metric, found.learnt_from, found.date)
    counts, points = (found.dimensions, found.pairs), (found.scores, found.probabilities)
    if not (
        all(type(word) is str for word in words)
        and all(type(count) is int for count in counts)
        and all(type(values) is list and {*map(type, values)} <= {int, float} for values in points)
    ):
        raise TypeError


def _check_points(found: Calibration) -> None:
    """Raise `ValueError` for points between which no map runs."""
    import numpy as np

    scores, probabilities = np.asarray(found.scores, float), np.asarray(found.probabilities, float)
    both = np.concatenate([scores, probabilities])
    rising = (np.diff(scores) >= 0).all() and (np.diff(probabilities) >= 0).all()
    if len(scores) != len(probabilities) or not len(scores) or not np.isfinite(both).all() or not rising:
        raise ValueError
    if probabilities[0] < 0 or probabilities[-1] > 1 or found.metric != "cosine":
        raise ValueError
