"""The modules of a sentence-transformers model and the folder of each, which is inside the model's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from simil.errors import ModelDamaged, Place
from simil.models.files.chain import kind_of, read_modules, read_object, understood

__all__ = ["MODULES", "ModuleFolder", "check_inside", "module_folders", "routes_texts"]

MODULES = "modules.json"
_ROUTERS = ("Router", "Asym")


@dataclass(frozen=True, slots=True)
class ModuleFolder:
    """A module: its folder, relative to the model's and "" for that itself, and its class.

    `type` is the class as the file `named_in` names it.
    """

    path: str
    type: str
    named_in: str = MODULES

    @property
    def kind(self) -> str:
        """The name of the class, with its package if that is not sentence-transformers."""
        return kind_of({"type": self.type})


_BARE = ModuleFolder("", "sentence_transformers.Transformer", "config.json")


def module_folders(folder: Path) -> list[ModuleFolder]:
    """Return the modules of the model in `folder`, those that a router chooses from behind it.

    A model without `modules.json` is a transformer. Raises `ModelDamaged` for files that cannot be read, and
    for paths that lead out of the folder.
    """
    listed = [
        _module(folder, module.get("path", ""), module.get("type", ""), MODULES)
        for module in read_modules(folder)
    ]
    return [module for one in listed or [_BARE] for module in (one, *_routed(folder, one))]


def routes_texts(folder: Path) -> bool:
    """Say whether the model in `folder` has modules of their own for queries or documents."""
    return any(module.kind in _ROUTERS for module in module_folders(folder))


def _routed(folder: Path, router: ModuleFolder) -> Iterator[ModuleFolder]:
    if router.kind not in _ROUTERS:
        return
    names = ("router_config.json", "config.json")
    settings = next((name for name in names if (folder / router.path / name).is_file()), names[0])
    path = PurePosixPath(router.path, settings)
    with understood(folder / path):
        types = dict((read_object(folder / path) or {}).get("types") or {})
    for name, kind in types.items():
        yield _module(folder, str(PurePosixPath(router.path, name)), kind, str(path))


def _module(folder: Path, path: object, kind: object, named_in: str) -> ModuleFolder:
    check_inside(folder, path, folder / named_in)
    inside = PurePosixPath(str(path).replace("\\", "/")).as_posix()
    return ModuleFolder("" if inside == "." else inside, str(kind), named_in)


def check_inside(folder: Path, name: object, named_in: Path) -> None:
    """Raise `ModelDamaged` unless a path that a file of the model names stays in its folder.

    Hidden files are no part of a model: a change of them does not change its revision.
    """
    if isinstance(name, str) and "\0" not in name:
        parts = PureWindowsPath(name)
        if ".." not in parts.parts and any(part.startswith((".", "__")) for part in parts.parts):
            raise ModelDamaged(f"names a hidden path: {name!r}", place=Place(str(named_in)))
        root = os.path.realpath(folder)
        inside = os.path.realpath(os.path.join(root, name))  # noqa: PTH118 (realpath never raises)
        # Files of the hub's cache are links to its store; folders are none.
        is_file = Path(root, name).is_file()
        if not parts.anchor and ".." not in parts.parts and (is_file or Path(inside).is_relative_to(root)):
            return
    raise ModelDamaged(f"names a path that leads out of its folder: {name!r}", place=Place(str(named_in)))
