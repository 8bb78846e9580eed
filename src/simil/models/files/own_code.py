"""Refuses a model that would have other code run than that of the installed libraries, its own above all."""

from __future__ import annotations

from pathlib import Path

from simil.errors import ModelError, Place
from simil.foreign import ForeignCode
from simil.models.files.chain import read_object
from simil.models.files.module_folders import module_folders
from simil.models.torch_libraries import require_sentence_transformers

__all__ = ["check_architectures", "check_modules"]

_OWN = "sentence_transformers"
# How a module names the arguments that it passes to transformers.
_ARGUMENTS = (
    "model_args", "model_kwargs", "tokenizer_args", "processor_kwargs", "config_args", "config_kwargs"
)  # fmt: skip
_ATTENTION = ("attn_implementation", "_attn_implementation")
_NEVER_PASSED = {
    "adapter_kwargs", "allow_all_kernels", "code_revision", "config", "gguf_file", "kernel_config",
    "offload_folder", "quantization_config", "state_dict", "trust_remote_code", "use_kernels", "weights_only",
}  # fmt: skip


def check_modules(folder: Path) -> None:
    """Raise `ModelError` for a module, an activation or an attention that is not one of the libraries'."""
    for module in module_folders(folder):
        if module.type.partition(".")[0] != _OWN:
            raise _refused(
                f"its module {module.type!r} is not one of sentence-transformers", folder / module.named_in
            )
        if module.kind == "Transformer":
            _check_attention(folder / module.path / "config.json")
        if module.kind == "Dense":
            _check_activation(folder / module.path / "config.json")
        for settings in (folder / module.path).glob("sentence_*_config.json"):
            _check_arguments(settings)


def _check_activation(settings: Path) -> None:
    # sentence-transformers would apply another function in its place.
    activation = str((read_object(settings) or {}).get("activation_function", "torch."))
    if not activation.startswith("torch."):
        raise _refused(f"its activation {activation!r} is not one of torch", settings)


def _check_attention(settings: Path) -> None:
    """Raise `ModelError` for attention by a repository's code, which transformers would fetch and run."""
    config = read_object(settings) or {}
    for part in (config, *(value for value in config.values() if isinstance(value, dict))):
        for name in _ATTENTION:
            if "/" in str(part.get(name)):
                raise _refused(f"its {name.strip('_')} is code of a repository", settings)


def _check_arguments(settings: Path) -> None:
    """Raise `ModelError` if a model chooses by arguments which code or files the libraries load."""
    config = read_object(settings) or {}
    for given in (config.get(key) for key in _ARGUMENTS):
        for name, value in given.items() if isinstance(given, dict) else ():
            if name in _NEVER_PASSED or (isinstance(value, str) and ("/" in value or "\\" in value)):
                raise _refused(f"it passes {name!r} to transformers", settings)


def check_architectures(folder: Path) -> None:
    """Raise `ModelError` for a transformer that names code of its own and has a type unknown to transformers.

    Where the type is known, the class of transformers is used. Imports transformers only if code is named,
    and not for BERT; raises `ExtraMissing` if it is needed and not installed.
    """
    for module in module_folders(folder):
        if module.kind == "Transformer":
            _check_architecture(folder / module.path / "config.json")


def _check_architecture(settings: Path) -> None:
    config = read_object(settings) or {}
    kind = str(config.get("model_type"))
    if config.get("auto_map") and kind != "bert" and kind not in _known_architectures(kind):
        raise _refused(f"its architecture {kind!r} is not one of transformers", settings)


def _known_architectures(kind: str) -> set[str]:
    # Reading the names does not take torch, but any model that is not BERT does.
    require_sentence_transformers(f"the architecture {kind!r}")
    with ForeignCode("transformers cannot be loaded"):
        from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES
        from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES
    return {*CONFIG_MAPPING_NAMES} & {*MODEL_MAPPING_NAMES}


def _refused(what: str, named_in: Path) -> ModelError:
    return ModelError(
        f"{what}, and models' own code is never run", hint="choose another model", place=Place(str(named_in))
    )
