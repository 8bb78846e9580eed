"""Reads settings of a transformer's `config.json`; one that is not as it must be is a reason to refuse it.

All functions raise `UnknownChain` that names the setting.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simil.models.files.chain import UnknownChain
from simil.models.files.encoder_layout import Heads

__all__ = ["Config", "activation", "expect", "flag", "padding_id", "positive", "rotary_base", "size"]

Config = Mapping[str, Any]

_ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
}
_ROTARY_SETTINGS = {"rope_type", "type", "rope_theta", "partial_rotary_factor"}


def size(config: Config, name: str, default: int | None = None) -> int:
    """Return a whole number above 0; without a `default` it must be given."""
    value = config.get(name, default)
    if type(value) is not int or value < 1:
        raise UnknownChain(f"its {name} is {value!r}")
    return value


def positive(config: Config, name: str, default: float) -> float:
    """Return a finite number above 0."""
    value = config.get(name, default)
    if type(value) not in (int, float) or not 0 < value < float("inf"):
        raise UnknownChain(f"its {name} is {value!r}")
    return float(value)


def padding_id(config: Config) -> int:
    """Return the id of the padding token, as in the RoBERTa kind, where positions depend on it."""
    value = config.get("pad_token_id", 1)
    if type(value) is not int or value < 0:
        raise UnknownChain(f"its pad_token_id is {value!r}")
    return value


def activation(config: Config, name: str, default: str) -> str:
    """Return the name of an activation: "gelu", "gelu_tanh", "relu" or "silu"."""
    value = config.get(name, default)
    if value not in _ACTIVATIONS:
        raise UnknownChain(f"its activation is {value}")
    return _ACTIVATIONS[value]


def expect(config: Config, **expected: Any) -> None:
    """Raise `UnknownChain` for a setting that is given and is not as `expected`; None stands for none."""
    for name, value in expected.items():
        given = config.get(name)
        if given is not None and given != value:
            raise UnknownChain(f"its transformer sets {name} to {given}")


def rotary_base(config: Config, default: float, heads: Heads) -> float:
    """Return the base of the rotary positions, which must be the plain ones over all of a head."""
    expect(config, partial_rotary_factor=1)
    given = config.get("rope_scaling") or config.get("rope_parameters") or {}
    kind = given.get("rope_type", given.get("type", "default"))
    if kind != "default" or not {*given} <= _ROTARY_SETTINGS:
        raise UnknownChain(f"its rotary positions are {dict(given)}")
    expect(given, partial_rotary_factor=1)
    if heads.size % 2:
        raise UnknownChain(f"its heads have {heads.size} values, which cannot be rotated in pairs")
    return positive(given, "rope_theta", positive(config, "rope_theta", default))


def flag(config: Config, name: str) -> bool:
    """Return a setting that is on or off, and off if it is not given."""
    value = config.get(name, False)
    if not isinstance(value, bool):
        raise UnknownChain(f"its {name} is {value!r}")
    return value
