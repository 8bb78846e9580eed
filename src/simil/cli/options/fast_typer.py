"""Commands whose plain options cost nothing to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Command", "Group"]

_TEXT = (str, list[str])


class Command(TyperCommand):
    """A command that takes strings as they are.

    Typer 0.29 builds a pydantic adapter for each option of a run, also for strings and for options that
    were not given; importing pydantic takes longer than comparing two words. Options that are given
    and are no strings still go through it. Should a Typer keep its coercion elsewhere, all do.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the options of one run; see `TyperCommand`."""
        _take_strings_as_they_are(self.get_params(ctx))
        return super().parse_args(ctx, args)


class Group(TyperGroup):
    """The same for what stands before a command's name."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the options before the command; see `TyperGroup`."""
        _take_strings_as_they_are(self.get_params(ctx))
        return super().parse_args(ctx, args)


def _take_strings_as_they_are(params: list[Any]) -> None:
    for param in params:
        real = getattr(param, "get_runtime_param", None)
        if real is not None and getattr(param, "_runtime_param", False) is None:
            param._runtime_param = _Quick(param, real)


class _Quick:
    """Stands in for Typer's coercion of one option, and gives way to it where there is work."""

    def __init__(self, param: Any, real: Callable[[], Any]) -> None:
        self._param = param
        self._real = real

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        if value is None or value is self._param.default or self._param.type_descriptor.annotation in _TEXT:
            return value
        self._param._runtime_param = None
        return self._real().coerce(value, param=param, ctx=ctx)
