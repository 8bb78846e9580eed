"""pylance, which the extra [lance] installs."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from simil.errors import ExtraMissing, Place
from simil.formats.library_errors import library_errors

__all__ = ["lance", "lance_errors"]


def lance() -> Any:
    """Return the module, with `fragment`; raises ExtraMissing without the extra."""
    try:
        import lance.fragment
    except ImportError as exc:
        raise ExtraMissing("Lance datasets need pylance, which is not installed", extra="lance") from exc
    return lance


def lance_errors(place: Place, what: str = "a sound Lance dataset") -> AbstractContextManager[None]:
    """Turn what Lance raises about the dataset at `place` into InputError."""
    return library_errors(place, what)
