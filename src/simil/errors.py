"""Every error that simil raises on purpose, with its exit code.

::

    SimilError                    what is wrong, where, and what to do: one line
    |-- UsageError            2   the request itself cannot be carried out
    |   `-- NothingGiven      2   it lacks what it is about
    |-- InputError            3   a text, file or row is invalid
    |   `-- ModelMismatch     3   vectors of two models would be compared
    |-- ModelError            4   a model cannot be used
    |   |-- ModelNotFound     4   no such model
    |   |-- ModelDamaged      4   its files are missing, altered or truncated
    |   `-- ExtraMissing      4   an optional package is not installed
    |-- ProviderError         5   a server, key, quota or network failed
    |   |-- KeyMissing        5
    |   |-- KeyRejected       5
    |   |-- QuotaSpent        5
    |   |-- RateLimited       5
    |   |-- RequestRejected   5   the server understood the request and refused it
    |   |-- ServerFailed      5   5xx, or an invalid answer
    |   `-- Unreachable       5   no connection, or no answer in time
    `-- PartlyDone            6   some texts failed and were reported

0 is success, 1 a negative answer, 130 an interrupt, 141 a closed pipe; these are not errors.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = [
    "ExtraMissing",
    "InputError",
    "KeyMissing",
    "KeyRejected",
    "ModelDamaged",
    "ModelError",
    "ModelMismatch",
    "ModelNotFound",
    "NothingGiven",
    "PartlyDone",
    "Place",
    "ProviderError",
    "QuotaSpent",
    "RateLimited",
    "RequestRejected",
    "ServerFailed",
    "SimilError",
    "Unreachable",
    "UsageError",
]


_LINE_ENDS = str.maketrans({"\n": "\\n", "\r": "\\r"})


class Place(NamedTuple):
    """A position in the input: a source and, if known, a line and a column (both counted from 1)."""

    source: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        return ":".join(str(part) for part in (self.source, self.line, self.column) if part is not None)


class SimilError(Exception):
    """Base of all errors raised on purpose.

    `message` says what is wrong, `place` where, `hint` what to do about it. `str()` joins them into
    one line; names keep their blanks, and bytes of them that are not UTF-8 are escaped, as in `\\udce9`.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "", place: Place | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.place = place

    def __str__(self) -> str:
        where = f"{self.place}: ".translate(_LINE_ENDS) if self.place else ""
        what_to_do = f"; {self.hint}" if self.hint else ""
        said = " ".join(line.strip() for line in f"{self.message}{what_to_do}".splitlines())
        return f"{where}{said}".encode("utf-8", "backslashreplace").decode("utf-8")


class UsageError(SimilError):
    exit_code = 2


class NothingGiven(UsageError):
    """The command line adds an example to its message."""


class InputError(SimilError):
    exit_code = 3


class ModelMismatch(InputError):
    pass


class ModelError(SimilError):
    exit_code = 4


class ModelNotFound(ModelError):
    pass


class ModelDamaged(ModelError):
    pass


class ExtraMissing(ModelError):
    """`extra` is the one of simil-cli that installs what is missing, or `package` is what is missing."""

    def __init__(self, message: str, *, extra: str = "", package: str = "") -> None:
        wanted = package or f"'simil-cli[{extra}]'"
        super().__init__(message, hint=f"run: pip install {wanted}")


class ProviderError(SimilError):
    """`blames_texts` says that the server may have refused a request for the texts in it."""

    exit_code = 5
    blames_texts = False


class KeyMissing(ProviderError):
    pass


class KeyRejected(ProviderError):
    pass


class QuotaSpent(ProviderError):
    pass


class RateLimited(ProviderError):
    pass


class RequestRejected(ProviderError):
    pass


class ServerFailed(ProviderError):
    pass


class Unreachable(ProviderError):
    pass


class PartlyDone(SimilError):
    exit_code = 6
