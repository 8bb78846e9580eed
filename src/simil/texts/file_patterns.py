"""Which files of a folder a person wants: by patterns of their names, and by types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simil.errors import UsageError
from simil.texts.file_types import globs_of_types

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

__all__ = ["FilePatterns"]


@dataclass(frozen=True, slots=True)
class FilePatterns:
    """Patterns as in a `.gitignore`, but of what is wanted; one that begins with "!" is of what is not.

    The last pattern that matches decides. Where none does, a file is wanted if no pattern says what is.
    `types` are the patterns of types; if there are any, a wanted file matches one of them.
    """

    globs: GitIgnoreSpec
    types: GitIgnoreSpec | None

    @classmethod
    def of(cls, globs: Sequence[str], types: Sequence[str]) -> FilePatterns | None:
        """Return what the values of --glob and --type say; None for nothing.

        Raises `UsageError` for a pattern that is none, and for an unknown type.
        """
        from pathspec import GitIgnoreSpec

        if not (globs or types):
            return None
        for glob in globs:
            try:
                is_pattern = any(one.include is not None for one in GitIgnoreSpec.from_lines([glob]).patterns)
            except ValueError:
                is_pattern = False
            if not is_pattern:
                raise UsageError(f"--glob cannot be {glob!r}", hint="give a pattern of names, such as '*.md'")
        of_types = GitIgnoreSpec.from_lines(globs_of_types(types)) if types else None
        return cls(GitIgnoreSpec.from_lines(globs), of_types)

    def want_file(self, name: str) -> bool:
        """Return whether a file is wanted; `name` is its path below the folder that is searched."""
        found = self.globs.check_file(name).include
        if found is None:
            found = not any(pattern.include for pattern in self.globs.patterns)
        return found and (self.types is None or bool(self.types.check_file(name).include))

    def want_folder(self, name: str) -> bool:
        """Return whether there may be wanted files below a folder."""
        return self.globs.check_file(f"{name}/").include is not False
