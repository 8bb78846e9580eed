"""Checks of packages, by their metadata; none is imported."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set
from importlib import metadata

from simil.models.catalog import FALLBACK
from simil.tasks.doctor.findings import CheckContext, Finding, fail, note, ok, warn

__all__ = ["packages"]

_OURS = "simil-cli"
_REPORTED = (
    "onnxruntime",
    "tokenizers",
    "numpy",
    "huggingface_hub",
    "typer",
    "httpx",
    "safetensors",
    "sentence-transformers",
    "transformers",
    "torch",
    "openvino",
    "nncf",
    "model2vec",
    "tiktoken",
    "pyarrow",
    "python-calamine",
    "markitdown",
    "pylance",
    "bm25s",
    "PyStemmer",
    "ray",
)
# Builds of a package that have their own names.
_BUILDS = {"onnxruntime": ("onnxruntime-gpu", "onnxruntime-directml")}
_SENTENCE_TRANSFORMERS = "sentence-transformers"
# What an installation may do without, and what it then lacks.
_FOR_SOME_MODELS = {
    _SENTENCE_TRANSFORMERS: f"{FALLBACK} and most BERT models run without it, most others do not",
    "transformers": "the tokenizers of some models need it",
    "torch": "GPUs and weights in PyTorch's format need it",
}
_NOT_HERE = "is not installed"


def packages(context: CheckContext) -> Iterator[Finding]:
    """Report the version of each package that matters in a bug report, and missing required ones."""
    required, extras = _requirements()
    for name in _REPORTED:
        found = _version(name)
        yield ok(name, found) if found else _missing(name, required, extras)
    for name in sorted(required - {_plain(name) for name in _REPORTED}):
        if _version(name) is None:
            yield fail(name, _NOT_HERE, f"run: pip install {name}")


def _missing(name: str, required: Set[str], extras: Mapping[str, str]) -> Finding:
    plain = _plain(name)
    if plain in _FOR_SOME_MODELS:
        return _missing_for_some_models(name)
    if plain in required:
        return fail(name, _NOT_HERE, f"run: pip install {name}")
    wanted = f"'{_OURS}[{extras[plain]}]'" if plain in extras else name
    return note(name, _NOT_HERE, f"run: pip install {wanted}")


def _missing_for_some_models(name: str) -> Finding:
    if _version(_SENTENCE_TRANSFORMERS) is not None:
        return warn(name, f"{_NOT_HERE}, and sentence-transformers needs it", f"run: pip install {name}")
    return note(
        name,
        f"{_NOT_HERE}: {_FOR_SOME_MODELS[name]}",
        f"run: pip install {_SENTENCE_TRANSFORMERS}",
    )


def _version(name: str) -> str | None:
    for one in (name, *_BUILDS.get(name, ())):
        try:
            version = metadata.version(one)
        except metadata.PackageNotFoundError:
            continue
        # A folder left by an interrupted uninstallation has no version.
        return str(version) if one == name else f"{version} ({one})"
    return None


def _requirements() -> tuple[set[str], dict[str, str]]:
    """Return the packages that simil requires, and the extra of each optional one."""
    try:
        lines = metadata.requires(_OURS) or []
    except metadata.PackageNotFoundError:  # Run from a checkout.
        lines = []
    required, extras = set(), {}
    for line in lines:
        name = _plain(re.split(r"[^\w.-]", line)[0])
        extra = re.search(r"""extra == ['"]([\w-]+)['"]""", line)
        if extra:
            extras[name] = extra.group(1)
        else:
            required.add(name)
    return required, extras


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
