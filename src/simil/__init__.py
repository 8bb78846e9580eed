"""simil tells how alike texts are."""

from simil._version import __version__

__all__ = ["__version__"]
