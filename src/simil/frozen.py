"""Frozen dataclasses that cost nothing to make, for what every start imports.

`dataclass` writes and compiles half a dozen functions for each class, and imports `inspect`: for sixty
classes that was a third of a short run. Classes that derive from `Frozen` share its functions. An instance is
dearer to make than one of a dataclass, so what there are many of stays one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self, dataclass_transform

if TYPE_CHECKING:
    from dataclasses import Field

__all__ = ["Frozen"]


class _Fields:
    """Makes the fields that the functions of `dataclasses` read once they are asked for."""

    def __get__(self, instance: object, owner: type[Frozen]) -> dict[str, Field[Any]]:
        from dataclasses import dataclass

        space = {"__annotations__": dict.fromkeys(owner.field_names, Any)}
        twin: Any = dataclass(type(owner.__name__, (), space))
        made: dict[str, Field[Any]] = twin.__dataclass_fields__
        owner.__dataclass_fields__ = made
        return made


@dataclass_transform(frozen_default=True)
class Frozen:
    """A class of named values that do not change; like `dataclass(frozen=True)`.

    The annotations in a class are its fields, and what is assigned to one is its default, shared by all.
    With `eq=False` an instance equals only itself.
    """

    field_names: ClassVar[tuple[str, ...]] = ()
    if TYPE_CHECKING:
        __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    else:
        __dataclass_fields__ = _Fields()

    def __init_subclass__(cls, *, eq: bool = True) -> None:
        own = cls.__dict__.get("__annotations__", ())  # noqa: RUF063 (`inspect` is what is avoided here)
        cls.field_names = tuple(dict.fromkeys((*cls.field_names, *own)))
        if not eq:
            cls.__eq__, cls.__hash__ = object.__eq__, object.__hash__  # type: ignore[method-assign]

    def __init__(self, *values: Any, **named: Any) -> None:
        names = self.field_names
        given = dict(zip(names, values, strict=False), **named)
        missing = [name for name in names if name not in given and not hasattr(type(self), name)]
        if missing or len(given) < len(values) + len(named) or not given.keys() <= {*names}:
            raise TypeError(f"{type(self).__name__} takes {', '.join(names)}, not {values} and {named}")
        self.__dict__.update(given)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        self._refuse(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> NoReturn:
        self._refuse(f"cannot delete field {name!r}")

    def _refuse(self, what: str) -> NoReturn:
        from dataclasses import FrozenInstanceError

        raise FrozenInstanceError(what)

    def replaced(self, **changes: Any) -> Self:
        """Return a copy with these fields changed, as `dataclasses.replace` does."""
        return type(self)(**self.by_name() | changes)

    def by_name(self) -> dict[str, Any]:
        """Return the values of the fields by their names."""
        return dict(zip(self.field_names, self._values(), strict=True))

    def _values(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self.field_names)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.by_name().items())
        return f"{type(self).__name__}({shown})"
