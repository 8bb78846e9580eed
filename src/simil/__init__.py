"""simil tells how alike texts are.

    >>> import simil
    >>> simil.compare("Apple", "Orange", model="minilm")
    0.3725...

Importing this package loads nothing; a model is opened by the first call that needs it.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from simil._version import __version__
    from simil.api import Model, compare, embed, open, score  # noqa: A004 (`simil.open`, as in others)
    from simil.errors import SimilError

__all__ = ["Model", "SimilError", "__version__", "compare", "embed", "open", "score"]


def __getattr__(name: str) -> object:
    # The command imports this before it can handle Ctrl-C, which would print a traceback here.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from simil import _version, api, errors

    found = next(vars(part)[name] for part in (api, errors, _version) if name in vars(part))
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return __all__
