"""simil tells how alike texts are.

    >>> import simil
    >>> simil.compare("Apple", "Orange", model="minilm")
    0.3725...

Importing this package loads nothing heavy; a model is opened by the first call that needs it.
"""

from simil._version import __version__
from simil.api import Model, compare, embed, open  # noqa: A004 (`simil.open`, as in other libraries)
from simil.errors import SimilError

__all__ = ["Model", "SimilError", "__version__", "compare", "embed", "open"]
