"""Reads the modules around a sentence-transformers model's transformer from the model's files.

A model folder lists its chain of modules in `modules.json`. simil's own engines run a Transformer, a
Pooling, any number of Dense layers and an optional Normalize. sentence-transformers runs every other
chain, and `read_chain` says why.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from simil.errors import ModelDamaged, Place
from simil.frozen import Frozen
from simil.models.files.positions import position_limit

__all__ = [
    "SETTINGS",
    "Chain",
    "Dense",
    "UnknownChain",
    "has_chat_template",
    "kind_of",
    "read_bytes",
    "read_chain",
    "read_modules",
    "read_object",
    "read_settings",
    "read_transformer",
    "token_limit",
    "transformer_folder",
    "truncates_dimensions",
    "understood",
]

POOLING_MODES = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")
_OLD_POOLING_KEYS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
ACTIVATIONS = {
    "torch.nn.modules.linear.Identity": "identity",
    "torch.nn.modules.activation.Tanh": "tanh",
    "torch.nn.modules.activation.ReLU": "relu",
}
_NO_LIMIT = 10**9
_LARGEST = 256 << 20  # A tokenizer of a million tokens takes some 60 MB.
# Types that call `max_position_embeddings` `n_positions`, and have no table of them.
_POSITIONS_RENAMED = ("codegen", "ctrl", "gptj")
SETTINGS = "config_sentence_transformers.json"
# What a transformer that reads text alone gives, and what the modules after it call that.
_TASKS = {
    "feature-extraction": (
        {"text": {"method": "forward", "method_output_name": "last_hidden_state"}},
        "token_embeddings",
    ),
    "sequence-classification": ({"text": {"method": "forward", "method_output_name": "logits"}}, "scores"),
}
_TRANSFORMER_CONFIGS = tuple(
    f"sentence_{kind}_config.json"
    for kind in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)


class UnknownChain(Exception):
    """The model needs something that simil's own engines do not support; `str()` says what."""


class Dense(Frozen):
    """A linear layer after pooling; its weights are in the model's subfolder `path`."""

    path: str
    activation: str
    bias: bool


class Chain(Frozen):
    """The modules around the transformer, and the limit of tokens.

    `pooling` names one or more modes, whose vectors are concatenated; `pools_prompt` includes the prompt's
    tokens. `max_tokens` counts special tokens too; None means no limit.
    """

    pooling: tuple[str, ...] = ("mean",)
    pools_prompt: bool = True
    dense: tuple[Dense, ...] = ()
    normalize: bool = False
    max_tokens: int | None = None
    lower_case: bool = False


def read_object(path: Path) -> dict[str, Any] | None:
    """Return the JSON object in a file, None if there is no file; raises `ModelDamaged` for anything else."""
    value = _read_json(path)
    if value is None or isinstance(value, dict):
        return value
    raise ModelDamaged("is not a JSON object", place=Place(str(path)))


def read_bytes(path: Path) -> bytes | None:
    """Return a file's content, None if there is no file; raises `ModelDamaged` if it is none to be read."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # Opening a pipe would wait for ever.
            raise ModelDamaged("is not a file", place=Place(str(path)))
        if status.st_size > _LARGEST:
            raise ModelDamaged(f"is larger than {_LARGEST >> 20} MB", place=Place(str(path)))
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as exc:
        raise ModelDamaged(f"cannot be read: {exc}", place=Place(str(path))) from exc


@contextmanager
def understood(path: Path) -> Iterator[None]:
    """Turn what settings of the wrong type raise into `ModelDamaged`."""
    try:
        yield
    except (TypeError, ValueError, LookupError, AttributeError, OverflowError, RecursionError) as exc:
        raise ModelDamaged(f"its settings cannot be understood: {exc}", place=Place(str(path))) from exc


def _read_json(path: Path) -> Any:
    data = read_bytes(path)
    if data is None:
        return None
    try:
        value = json.loads(data.decode())
    except (ValueError, RecursionError) as exc:
        raise ModelDamaged(f"cannot be read: {exc}", place=Place(str(path))) from exc
    if value is None:
        raise ModelDamaged("is null", place=Place(str(path)))
    return value


def read_chain(folder: Path) -> Chain:
    """Return the chain of the model in `folder`.

    A folder without `modules.json` is a bare transformer; its tokens' mean is taken, as in
    sentence-transformers. Raises `UnknownChain` for a chain that only sentence-transformers can run,
    `ModelDamaged` for files that cannot be read.
    """
    with understood(folder):
        return _chain_of(folder, read_modules(folder))


def _chain_of(folder: Path, modules: Sequence[Mapping[str, Any]]) -> Chain:
    kinds = [kind_of(module) for module in modules]
    if kinds and (kinds[0] != "Transformer" or kinds[1:2] != ["Pooling"]):
        raise UnknownChain(f"its modules are {', '.join(kinds)}")
    layers = kinds[2:]
    normalize = layers[-1:] == ["Normalize"] and _is_plain(folder / str(modules[-1].get("path", "")))
    if any(kind != "Dense" for kind in (layers[:-1] if normalize else layers)):
        raise UnknownChain(f"its modules are {', '.join(kinds)}")
    paths = [str(module.get("path", "")) for module in modules]
    transformer = folder / (paths[0] if paths else "")
    max_tokens, lower_case = read_transformer(transformer) if paths else (token_limit(transformer), False)
    pooling, pools_prompt = _read_pooling(folder / paths[1]) if paths else (_bare_pooling(folder), True)
    if truncates_dimensions(folder):
        raise UnknownChain("it sets truncate_dim")
    return Chain(
        pooling=pooling,
        pools_prompt=pools_prompt,
        dense=tuple(
            _read_dense(folder, path) for kind, path in zip(kinds, paths, strict=True) if kind == "Dense"
        ),
        normalize=normalize,
        max_tokens=max_tokens,
        lower_case=lower_case,
    )


def read_settings(folder: Path) -> dict[str, Any]:
    """Return the settings of sentence-transformers, which reads none of a folder without `modules.json`.

    Raises `ModelDamaged` for files that cannot be read.
    """
    return (read_object(folder / SETTINGS) or {}) if (folder / "modules.json").exists() else {}


def truncates_dimensions(folder: Path) -> bool:
    """Say whether the files have sentence-transformers keep only the first dimensions of each vector."""
    return bool(read_settings(folder).get("truncate_dim"))


def read_modules(folder: Path) -> list[dict[str, Any]]:
    """Return the modules that `modules.json` in `folder` lists, none if there is no such file."""
    path = folder / "modules.json"
    modules = _read_json(path)
    if modules is None:
        return []
    if (
        not isinstance(modules, list)
        or not all(isinstance(module, dict) for module in modules)
        or not modules
    ):
        raise ModelDamaged("is not a list of modules", place=Place(str(path)))
    return modules


def transformer_folder(folder: Path) -> Path:
    """Return where the files of the transformer are: in `folder`, or in one of its own there."""
    modules = read_modules(folder)
    return folder / str(modules[0].get("path", "")) if modules else folder


def _bare_pooling(folder: Path) -> tuple[str, ...]:
    """Return how sentence-transformers pools a transformer that comes without a chain."""
    architectures = (read_object(folder / "config.json") or {}).get("architectures") or [""]
    if str(architectures[0]).endswith("ForCausalLM"):
        raise UnknownChain("it is a model that generates text")
    if has_chat_template(folder):
        raise UnknownChain("it has a chat template")
    return ("mean",)


def has_chat_template(transformer: Path) -> bool:
    """Say whether sentence-transformers puts texts into a template, if no other modules are saved."""
    names = ("chat_template.jinja", "chat_template.json", "additional_chat_templates")
    settings = read_object(transformer / "tokenizer_config.json") or {}
    return bool(settings.get("chat_template")) or any((transformer / name).exists() for name in names)


def kind_of(module: Mapping[str, Any]) -> str:
    """Return the name of a module's class, with its package if that is not sentence-transformers."""
    name = str(module.get("type", ""))
    package, _, kind = name.rpartition(".")
    return kind if package.split(".")[0] == "sentence_transformers" else name


def read_transformer(folder: Path, task: str = "feature-extraction") -> tuple[int | None, bool]:
    """Return the limit of tokens, None for none, and whether texts are converted to lower case.

    Raises `UnknownChain` for a transformer for another `task`, or one that only sentence-transformers runs.
    """
    config: dict[str, Any] = next(
        (found for name in _TRANSFORMER_CONFIGS if (found := read_object(folder / name))), {}
    )
    known = {
        "max_seq_length",
        "do_lower_case",
        "transformer_task",
        "modality_config",
        "module_output_name",
    }
    foreign = {key for key in set(config) - known if config[key]}
    if foreign:
        raise UnknownChain(f"its transformer sets {', '.join(sorted(foreign))}")
    if (given := config.get("transformer_task", "feature-extraction")) != task:
        raise UnknownChain(f"its transformer is for {given}")
    modality, output = _TASKS[task]
    if config.get("modality_config", modality) != modality:
        raise UnknownChain("its transformer takes more than text")
    if config.get("module_output_name", output) != output:
        raise UnknownChain(f"its transformer outputs {config['module_output_name']}")
    limit = config.get("max_seq_length")
    if limit is not None and (type(limit) is not int or limit < 1):
        raise ModelDamaged(f"its max_seq_length is {limit!r}", place=Place(str(folder)))
    return token_limit(folder, limit), bool(config.get("do_lower_case"))


def token_limit(folder: Path, given: int | None = None) -> int | None:
    """Return the given limit, else the smaller one of tokenizer and transformer, as sentence-transformers.

    It is never above what the transformer has positions for, where sentence-transformers would fail.
    """
    config = read_object(folder / "config.json") or {}
    limits: list[Any] = [position_limit(config), given]
    if given is None:
        tokenizer = read_object(folder / "tokenizer_config.json") or {}
        limits += [tokenizer.get("model_max_length"), config.get("max_position_embeddings")]
        limits += [config.get("n_positions")] if config.get("model_type") in _POSITIONS_RENAMED else []
    # Tokenizers write "no limit" as a huge number.
    real = [int(limit) for limit in limits if isinstance(limit, int | float) and 0 < limit < _NO_LIMIT]
    return min(real, default=None)


def _read_pooling(folder: Path) -> tuple[tuple[str, ...], bool]:
    config = read_object(folder / "config.json")
    if config is None:
        raise ModelDamaged("the pooling configuration is missing", place=Place(str(folder / "config.json")))
    modes = config.get("pooling_mode")
    if modes is None:
        modes = [mode for key, mode in _OLD_POOLING_KEYS.items() if config.get(key)] or ["mean"]
    modes = (modes,) if isinstance(modes, str) else tuple(map(str, modes))
    unknown = set(modes) - set(POOLING_MODES)
    if unknown:
        raise UnknownChain(f"its pooling is {', '.join(sorted(unknown))}")
    return modes, bool(config.get("include_prompt", True))


def _is_plain(folder: Path) -> bool:
    """Return whether a final normalization is of the text's vector; raises `UnknownChain` for another one."""
    config = read_object(folder / "config.json") or {}
    if _names(config) != {"sentence_embedding"}:
        raise UnknownChain("its normalization is not of the text's vector")
    return True


def _names(config: Mapping[str, Any]) -> set[str]:
    """Return what a module reads and writes; it writes what it reads unless it says otherwise."""
    return {config.get(key) or "sentence_embedding" for key in ("module_input_name", "module_output_name")}


def _read_dense(folder: Path, path: str) -> Dense:
    config = read_object(folder / path / "config.json")
    if config is None:
        raise ModelDamaged("a dense layer's configuration is missing", place=Place(str(folder / path)))
    activation = config.get("activation_function", "torch.nn.modules.activation.Tanh")
    if activation not in ACTIVATIONS:
        raise UnknownChain(f"a dense layer uses {activation}")
    if _names(config) != {"sentence_embedding"} or config.get("use_residual"):
        raise UnknownChain("a dense layer is not a plain one after pooling")
    return Dense(path, ACTIVATIONS[activation], bool(config.get("bias", True)))
