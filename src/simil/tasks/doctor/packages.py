"""The packages that simil uses, by what is said of their installation; none is imported."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import metadata

from simil.tasks.doctor.findings import Context, Finding, fail, note, ok, warn

__all__ = ["packages"]

_OURS = "simil-cli"
_TOLD = (
    "onnxruntime",
    "tokenizers",
    "numpy",
    "huggingface_hub",
    "typer",
    "httpx",
    "sentence-transformers",
    "torch",
    "openvino",
    "nncf",
    "model2vec",
    "tiktoken",
)
# Other builds of a package, under names of their own.
_BUILDS = {"onnxruntime": ("onnxruntime-gpu", "onnxruntime-directml")}
# Only what the user may ask for needs these: other models than the embedded one and plain encoders.
_FOR_SOME = ("sentence-transformers", "torch")
_AGAIN = f"run: pip install --force-reinstall {_OURS}"


def packages(context: Context) -> Iterator[Finding]:
    """Tell the version of each package that matters to a bug report, and which needed ones are missing."""
    extras = _extras()
    for name in _TOLD:
        yield _package(name, extras.get(_plain(name)))
    told = {_plain(name) for name in _TOLD}
    for name, extra in extras.items():
        if extra is None and name not in told and _version(name) is None:
            yield fail(name, "is not installed", _AGAIN)


def _package(name: str, extra: str | None) -> Finding:
    found = _version(name)
    if found is not None:
        return ok(name, found)
    if name in _FOR_SOME:
        return warn(name, "is not installed: most models of the hub cannot be used", _AGAIN)
    if extra is not None:
        return note(name, "is not installed", f"run: pip install '{_OURS}[{extra}]'")
    if name == "tiktoken":
        return note(name, "is not installed", "run: pip install tiktoken")
    return fail(name, "is not installed", _AGAIN)


def _version(name: str) -> str | None:
    for one in (name, *_BUILDS.get(name, ())):
        try:
            version = metadata.version(one)
        except metadata.PackageNotFoundError:
            continue
        # A folder that an interrupted uninstallation left has no version.
        return str(version) if one == name else f"{version} ({one})"
    return None


def _extras() -> dict[str, str | None]:
    """Return what simil's own metadata asks for: the name of a package, and the extra that brings it."""
    try:
        required = metadata.requires(_OURS) or []
    except metadata.PackageNotFoundError:  # Run from a checkout.
        required = []
    extras: dict[str, str | None] = {}
    for line in required:
        name = re.match(r"[\w.-]+", line)
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", line)
        if name is not None:
            extras.setdefault(_plain(name.group()), extra.group(1) if extra else None)
    return extras


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
