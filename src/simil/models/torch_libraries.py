"""sentence-transformers and what it brings: installed by default, but an installation may do without them.

The embedded model and other plain BERT encoders need none of them. What does asks here before it imports
them, so that all of it ends in the same error, with the command that helps.
"""

from __future__ import annotations

from importlib.util import find_spec

from simil.errors import ExtraMissing

__all__ = [
    "has_sentence_transformers",
    "is_installed",
    "require_sentence_transformers",
    "require_torch",
    "require_transformers",
]

_ALL = ("sentence_transformers", "transformers", "torch")
_PACKAGES = {"sentence_transformers": "sentence-transformers"}


def require_sentence_transformers(what: str) -> None:
    """Raise `ExtraMissing` unless sentence-transformers is installed with its libraries; `what` needs it."""
    _require(what, *_ALL)


def has_sentence_transformers() -> bool:
    """Say whether sentence-transformers and its own libraries are installed, without importing them."""
    return all(map(is_installed, _ALL))


def require_transformers(what: str) -> None:
    """Raise `ExtraMissing` unless transformers is installed, which `what` needs; it does not bring torch."""
    _require(what, "transformers")


def require_torch(what: str) -> None:
    """Raise `ExtraMissing` unless torch is installed, which `what` needs."""
    _require(what, "torch")


def is_installed(module: str) -> bool:
    """Say whether a package can be imported, without importing it."""
    spec = find_spec(module)
    # Files that an uninstallation left behind are a package without a file of its own.
    return spec is not None and spec.origin is not None


def _require(what: str, *modules: str) -> None:
    for module in modules:
        if not is_installed(module):
            package = _PACKAGES.get(module, module)
            raise ExtraMissing(f"{what} needs {package}, which is not installed", package=package)
