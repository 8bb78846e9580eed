"""What a program passes to a tool, held to the tool's JSON schema; whatever is wrong is told in one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simil.errors import UsageError

__all__ = ["checked_arguments"]

_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list, tuple),
}


def checked_arguments(schema: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that were given, without those that are null.

    `schema` describes an object, with the keywords that our tools use. Raises `UsageError` for arguments that
    it does not allow.
    """
    known = schema["properties"]
    for name in given:
        if name not in known:
            raise UsageError(f"there is no argument {name[:80]!a}", hint=f"there are: {', '.join(known)}")
    found = {name: value for name, value in given.items() if value is not None}
    for name in schema.get("required", ()):
        if name not in found:
            raise UsageError(f"{name} is missing")
    for name, value in found.items():
        # To JSON, 3.0 is an integer.
        if known[name]["type"] == "integer" and isinstance(value, float) and value.is_integer():
            found[name] = int(value)
        _check(name, found[name], known[name])
    return found


def _check(name: str, value: Any, schema: Mapping[str, Any]) -> None:
    wanted = schema["type"]
    # True is an integer to Python, and not to JSON.
    is_right = isinstance(value, _TYPES[wanted]) and isinstance(value, bool) == (wanted == "boolean")
    if not is_right:
        raise UsageError(f"{name} must be of the type {wanted}")
    if "enum" in schema and value not in schema["enum"]:
        raise UsageError(f"{name} cannot be {value[:80]!a}", hint=f"choose {', '.join(schema['enum'])}")
    if wanted in ("integer", "number"):
        _check_bounds(name, value, schema.get("minimum"), schema.get("maximum"))
    elif wanted == "string":
        _check_bounds(f"the length of {name}", len(value), schema.get("minLength"), schema.get("maxLength"))
    elif wanted == "array":
        _check_bounds(f"the length of {name}", len(value), schema.get("minItems"), schema.get("maxItems"))
        for index, item in enumerate(value):
            _check(f"{name}[{index}]", item, schema["items"])


def _check_bounds(what: str, value: float, least: float | None, most: float | None) -> None:
    if least is not None and not value >= least:
        raise UsageError(f"{what} is {value:,}, and must be at least {least:,}")
    if most is not None and not value <= most:
        raise UsageError(f"{what} is {value:,}, and must be at most {most:,}")
