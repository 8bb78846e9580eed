"""The folders that a program may read and write in, whatever path it names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from simil.errors import InputError, Place, UsageError
from simil.vectors import sidecar_path

__all__ = ["AllowedFolders"]


@dataclass(frozen=True, slots=True)
class AllowedFolders:
    """Real folders; what is named by a link counts as where the link leads."""

    folders: Sequence[Path]

    @classmethod
    def named(cls, names: Sequence[str]) -> AllowedFolders:
        """Return the folders with these names, the current one for none; raises `UsageError` for others."""
        for name in names:
            if not Path(name).is_dir():
                raise UsageError("is no folder", hint="name folders that exist", place=Place(name))
        return cls([*dict.fromkeys(Path(name).resolve() for name in names or ["."])])

    def holds(self, path: str | Path) -> bool:
        """Return whether a path leads to one of the folders, or below one."""
        real = Path(os.path.realpath(path))
        return any(real.is_relative_to(folder) for folder in self.folders)

    def existing(self, name: str) -> Path:
        """Return where a file or folder with this name really is: below the first folder that has it.

        Raises `UsageError` for one outside of the folders, whether it exists or not, and `InputError` for one
        that is not there, or that can be read only once. The file beside one of vectors, which is read with
        it, may not be outside, either.
        """
        inside = self._inside(name)
        found = next((path for path in inside if os.path.lexists(path)), None)
        if found is None:
            raise InputError("there is no such file or folder", place=Place(name))
        _check_kind(found, name)
        beside = sidecar_path(found)
        if found.is_file() and not self.holds(beside):
            raise self._outside(str(beside))
        return found

    def new_file(self, name: str, *, overwrite: bool) -> Path:
        """Return where a file with this name is to be written.

        Raises `UsageError` for one outside of the folders, and for one that is there, unless `overwrite`;
        `InputError` where its folder is not there, or where it is a pipe or a device.
        """
        path = self._inside(name)[0]
        if not path.parent.is_dir():
            raise InputError("its folder does not exist", hint="name one that does", place=Place(name))
        if path in self.folders or (not overwrite and os.path.lexists(path)):
            raise UsageError("is there already", hint="name a new file, or pass overwrite", place=Place(name))
        if os.path.lexists(path):
            _check_kind(path, name)
        return path

    def shown(self, path: str | Path) -> str:
        """Return how a path is told to the program, so that it can name it again."""
        real = Path(path)
        if len(self.folders) == 1 and real.is_relative_to(self.folders[0]):
            real = real.relative_to(self.folders[0])
        return str(real).encode("utf-8", "backslashreplace").decode()

    def _inside(self, name: str) -> list[Path]:
        """Return what a name can mean, without links; raises `UsageError` where all of it is outside."""
        try:
            real = [Path(os.path.realpath(folder / name)) for folder in self.folders]
        except (OSError, ValueError) as exc:
            raise InputError(f"is no path: {exc}", place=Place(name[:80])) from exc
        inside = [path for path in real if self.holds(path)]
        if not inside:
            raise self._outside(name)
        return inside

    def _outside(self, name: str) -> UsageError:
        readable = ", ".join(map(str, self.folders))
        return UsageError(
            "is outside of the folders that may be used", hint=f"they are: {readable}", place=Place(name)
        )


def _check_kind(path: Path, name: str) -> None:
    """Raise `InputError` for a pipe or a device, where reading or writing may never end."""
    if not path.is_file() and not path.is_dir():
        raise InputError("is neither a file nor a folder", place=Place(name))
