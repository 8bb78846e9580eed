"""By which names clients ask for the model that is served."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from simil.frozen import Frozen
from simil.models.catalog import find_by_stamp
from simil.server.api_errors import ApiError

__all__ = ["ServedNames"]


class ServedNames(Frozen):
    """The names of a model; the first is the one that answers give, the stamp that vectors carry."""

    every: Sequence[str]

    @classmethod
    def of(cls, stamp: str, asked: str | None, aliases: Sequence[str]) -> ServedNames:
        """Return the names of the model with this `stamp`, `asked` for by that name of `-m`."""
        return cls(list(dict.fromkeys(_names(stamp, asked, aliases))))

    @property
    def stamp(self) -> str:
        return self.every[0]

    def check(self, name: object) -> None:
        """Raise `ApiError` for a name of another model; a request need not name the only one."""
        if name is None or name in self.every:
            return
        served = ", ".join(self.every)
        said = f"the model {str(name)[:80]!r} is not served here: {served} are names of the one that is"
        raise ApiError(404, said, code="model_not_found", param="model")


def _names(stamp: str, asked: str | None, aliases: Sequence[str]) -> Iterator[str]:
    yield stamp
    yield stamp.partition("@")[0]
    if (info := find_by_stamp(stamp)) is not None:
        yield info.name
        if info.repo:
            yield info.repo
    if asked:
        yield asked
    yield from aliases
