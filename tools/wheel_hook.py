"""Gives a wheel the manual pages, which it installs into share/man/man1; hatchling calls it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ManualPages(BuildHookInterface):  # type: ignore[type-arg,misc,unused-ignore]
    """Writes the manual pages into a temporary folder, until the wheel has been put together."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the pages to what the wheel installs; see `BuildHookInterface`."""
        self._folder = TemporaryDirectory()
        root = Path(self.root)
        command = [sys.executable, str(root / "tools" / "man_pages.py"), self._folder.name]
        # Of this checkout, whether it is installed or not.
        subprocess.run(command, env={**os.environ, "PYTHONPATH": str(root / "src")}, check=True)
        build_data["shared_data"][self._folder.name] = "share/man/man1"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the folder."""
        self._folder.cleanup()
