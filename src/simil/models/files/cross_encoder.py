"""Reads from a cross-encoder's files how sentence-transformers' `CrossEncoder` uses it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simil.errors import ModelError
from simil.models.files.chain import (
    UnknownChain,
    has_chat_template,
    kind_of,
    read_modules,
    read_object,
    read_settings,
    read_transformer,
    token_limit,
    understood,
)
from simil.models.files.model_kind import ModelKind, label_names, model_kind
from simil.models.files.model_settings import read_prompts

__all__ = ["PairModel", "not_a_cross_encoder", "read_cross_encoder"]

_ACTIVATIONS = {"Identity": "identity", "Sigmoid": "sigmoid", "Tanh": "tanh", "ReLU": "relu"}
# A setting of the model may name any function of torch, and it would be called.
_A_LAYER = re.compile(r"torch\.nn\.(?:modules\.(?:linear|activation)\.)?([A-Z]\w*)")
_OLD_ACTIVATION = "sbert_ce_default_activation_function"
_CLASSIFICATION = "sequence-classification"
_UNNAMED = re.compile(r"LABEL_\d+")
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class PairModel:
    """What a cross-encoder makes of two texts, besides its transformer.

    `activation` is applied to the transformer's one logit. `prompt` comes before the first text. `max_tokens`
    counts the tokens of both texts and the special ones; None means no limit. `has_segments` says whether the
    model is told which text a token belongs to. `needs_torch` says why only sentence-transformers runs the
    model; it is "" if simil's own engines do, too.
    """

    activation: str = "sigmoid"
    prompt: str = ""
    max_tokens: int | None = None
    lower_case: bool = False
    has_segments: bool = True
    needs_torch: str = ""


def not_a_cross_encoder(name: str, kind: ModelKind) -> ModelError:
    """Return the error for a model of another kind that was to score pairs of texts."""
    return ModelError(f"{name} is {kind}, not a cross-encoder", hint="give a model that scores two texts")


def read_cross_encoder(name: str, folder: Path) -> PairModel:
    """Return how the cross-encoder that the user calls `name` scores two texts, by its files in `folder`.

    Raises `ModelError` for a model of another kind and for one that gives several scores, `ModelDamaged` for
    files that cannot be read.
    """
    kind = model_kind(folder)
    if kind is not ModelKind.CROSS_ENCODER:
        raise not_a_cross_encoder(name, kind)
    with understood(folder):
        modules = read_modules(folder)
        transformer = folder / str(modules[0].get("path", "")) if modules else folder
        config = read_object(transformer / "config.json") or {}
        _expect_one_score(name, folder, modules, config)
        activation = _activation(name, folder, config)
        prompt = read_prompts(folder).get("symmetric", "")
        try:
            _expect_plain(modules, activation)
            max_tokens, lower_case = _limits(transformer, is_bare=not modules)
        except UnknownChain as exc:
            return PairModel(activation, prompt, needs_torch=str(exc))
        return PairModel(activation, prompt, max_tokens, lower_case, _has_segments(transformer))


def _expect_one_score(
    name: str, folder: Path, modules: Sequence[Mapping[str, Any]], config: Mapping[str, Any]
) -> None:
    labels = _labels(folder, modules, config)
    if len(labels) != 1:
        named = labels if len(labels) <= _MOST_NAMED and not any(map(_UNNAMED.fullmatch, labels)) else []
        which = f" ({', '.join(named)})" if named else ""
        raise ModelError(
            f"{name} gives {len(labels)} scores{which}, not one: it classifies pairs of texts",
            hint="give a model that scores two texts, as rerankers do",
        )


def _labels(folder: Path, modules: Sequence[Mapping[str, Any]], config: Mapping[str, Any]) -> list[str]:
    """Return the names of what the model gives for a pair, as sentence-transformers counts them."""
    for module in reversed(modules[1:]):
        if kind_of(module) == "LogitScore":
            return ["LABEL_0"]
        if kind_of(module) == "Dense":
            layer = read_object(folder / str(module.get("path", "")) / "config.json") or {}
            if layer.get("module_output_name") == "scores":
                return [f"LABEL_{number}" for number in range(int(layer.get("out_features", 1)))]
    return label_names(config)


def _activation(name: str, folder: Path, config: Mapping[str, Any]) -> str:
    """Return what comes after the logit: a value of `_ACTIVATIONS`, or the path of another layer of torch."""
    given = (
        read_settings(folder).get("activation_fn"),
        (config.get("sentence_transformers") or {}).get("activation_fn", config.get(_OLD_ACTIVATION)),
    )
    # What is not torch's is the model's own code: sentence-transformers does not run it, either.
    path = next((str(path) for path in given if path and path.startswith("torch.")), "torch.nn.Sigmoid")
    layer = _A_LAYER.fullmatch(path)
    if layer is None:
        raise ModelError(
            f"the activation of {name}, {path}, is not a layer of torch", hint="choose another model"
        )
    return _ACTIVATIONS.get(layer[1], path)


def _expect_plain(modules: Sequence[Mapping[str, Any]], activation: str) -> None:
    """Raise `UnknownChain` unless the model is a transformer with a known activation and nothing else."""
    kinds = [kind_of(module) for module in modules]
    if kinds not in ([], ["Transformer"]):
        raise UnknownChain(f"its modules are {', '.join(kinds)}")
    if activation not in _ACTIVATIONS.values():
        raise UnknownChain(f"its activation is {activation}")


def _limits(transformer: Path, *, is_bare: bool) -> tuple[int | None, bool]:
    """Return the limit of tokens, and whether texts are converted to lower case."""
    if not is_bare:
        return read_transformer(transformer, task=_CLASSIFICATION)
    if has_chat_template(transformer):
        raise UnknownChain("it has a chat template")
    return token_limit(transformer), False


def _has_segments(transformer: Path) -> bool:
    """Say whether the tokenizer tells the segments of its tokens, as it does unless its settings deny it."""
    names = (read_object(transformer / "tokenizer_config.json") or {}).get("model_input_names")
    return names is None or "token_type_ids" in names
