"""An environment of links to some of the distributions that are installed here, and to no others."""

from __future__ import annotations

import venv
from collections.abc import Iterable
from functools import cache
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

__all__ = ["link_distributions", "link_environment", "read_requirements"]


def link_environment(
    folder: Path, requirements: Iterable[Requirement], *, without_theirs: Iterable[str] = ()
) -> Path:
    """Make an environment in `folder` with what `requirements` ask for, and return its Python.

    `without_theirs` are distributions to add without what they ask for in turn. The environment has no pip
    and no programs, and links to what each distribution installed here, so that nothing else can be imported.
    """
    venv.create(folder, with_pip=False)
    (packages,) = folder.glob("lib/python*/site-packages")
    for found in _required(requirements):
        _link(found, packages)
    link_distributions(packages, without_theirs)
    return folder / "bin/python"


def link_distributions(packages: Path, names: Iterable[str]) -> None:
    """Put links to some distributions into a folder that Python imports from, without what they ask for."""
    for name in names:
        _link(distribution(name), packages)


def read_requirements(file: Path) -> list[Requirement]:
    """Return what a requirements file asks for: one distribution per line, and comments."""
    lines = (line.partition("#")[0].strip() for line in file.read_text("utf-8").splitlines())
    return [Requirement(line) for line in lines if line]


def _required(requirements: Iterable[Requirement]) -> Iterable[Distribution]:
    """Return the distributions that are asked for, and those that they ask for in turn."""
    waiting = list(requirements)
    seen: set[Requirement] = set()
    found: dict[str, Distribution] = {}
    while waiting:
        wanted = waiting.pop()
        if wanted in seen:
            continue
        seen.add(wanted)
        each = distribution(wanted.name)
        found[each.name] = each
        asked = map(Requirement, each.requires or ())
        waiting += [other for other in asked if _applies(other, wanted.extras)]
    return found.values()


def _applies(requirement: Requirement, extras: Iterable[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))


def _link(found: Distribution, packages: Path) -> None:
    root = Path(str(found.locate_file("")))
    files = [Path(file) for file in found.files or () if ".." not in file.parts]
    for path in {_largest_own(root, file) for file in files}:
        target = packages / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(root / path)


def _largest_own(root: Path, file: Path) -> Path:
    """Return the outermost folder around a file that is no other distribution's too, or else the file."""
    folders = reversed(file.parents[:-1])
    return next((folder for folder in folders if _is_of_one(root / folder)), file)


@cache
def _is_of_one(folder: Path) -> bool:
    # Without the file it is a namespace package, which several distributions fill.
    return folder.suffix == ".dist-info" or (folder / "__init__.py").exists()
