"""An environment of links to some of the distributions that are installed here, and to no others."""

from __future__ import annotations

import venv
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

__all__ = ["link_environment", "read_requirements"]


def link_environment(
    folder: Path, requirements: Iterable[Requirement], *, without_theirs: Iterable[str] = ()
) -> Path:
    """Make an environment in `folder` with what `requirements` ask for, and return its Python.

    `without_theirs` are distributions to add without what they ask for in turn. The environment has no pip
    and no programs. Each file that a distribution lists is a link to the one installed here, so that nothing
    else can be imported.
    """
    venv.create(folder, with_pip=False)
    (packages,) = folder.glob("lib/python*/site-packages")
    for found in (*_required(requirements), *map(distribution, without_theirs)):
        _link(found, packages)
    return folder / "bin/python"


def read_requirements(file: Path) -> list[Requirement]:
    """Return what a requirements file asks for: one distribution per line, and comments."""
    lines = (line.partition("#")[0].strip() for line in file.read_text("utf-8").splitlines())
    return [Requirement(line) for line in lines if line]


def _required(requirements: Iterable[Requirement]) -> Iterator[Distribution]:
    """Yield the distributions that are asked for, and those that they ask for in turn."""
    waiting = list(requirements)
    seen = set()
    while waiting:
        wanted = waiting.pop()
        key = wanted.name.lower(), frozenset(wanted.extras)
        if key in seen:
            continue
        seen.add(key)
        found = distribution(wanted.name)
        yield found
        asked = map(Requirement, found.requires or ())
        waiting += [each for each in asked if _applies(each, wanted.extras)]


def _applies(requirement: Requirement, extras: Iterable[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))


def _link(found: Distribution, packages: Path) -> None:
    for file in found.files or ():
        target = packages / file
        if ".." not in file.parts and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(Path(str(found.locate_file(file))))
