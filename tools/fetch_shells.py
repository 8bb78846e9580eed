"""Put zsh and fish beside the tests' environment, where apt has them; no root, and no installation.

Completion is tested in the shells that are found: bash, those of the system, and these.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

_PACKAGES = ("zsh", "zsh-common", "fish", "fish-common", "libpcre2-32-0", "libcap2")
_WRAPPER = """#!/bin/sh
export LD_LIBRARY_PATH="{libraries}"
{more}exec "{program}" "$@"
"""


def main() -> None:
    folder = Path(sys.prefix) / "shells"
    if folder.exists() or all(map(shutil.which, ("zsh", "fish"))):
        return
    if not all(map(shutil.which, ("apt-get", "dpkg"))):
        print("zsh and fish cannot be fetched without apt: completion is tested in the shells that are here")
        return
    with tempfile.TemporaryDirectory(dir=sys.prefix) as name:
        draft = Path(name) / "shells"
        try:
            _fetch(draft)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired, OSError) as exc:
            print(f"zsh and fish cannot be fetched: {exc}")
            return
        _wrap(draft, folder)
        draft.rename(folder)


def _fetch(folder: Path) -> None:
    folder.mkdir()
    for package in _PACKAGES:
        # In the folder itself: apt drops its rights where it may not write.
        command = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", package]
        subprocess.run(command, cwd=folder, check=True, timeout=120, stdout=subprocess.DEVNULL)
    for archive in folder.glob("*.deb"):
        subprocess.run(["dpkg", "-x", archive, folder], check=True, timeout=120)
        archive.unlink()


def _wrap(draft: Path, root: Path) -> None:
    """Write programs that find their libraries and functions in `root`, where `draft` is moved to."""
    (draft / "usr" / "etc").symlink_to(Path("..") / "etc")
    (draft / "run").mkdir()
    shared = sorted(draft.rglob("lib*.so.*"))
    libraries = ":".join({str(root / one.parent.relative_to(draft)): None for one in shared})
    (modules,) = (path.parent.parent for path in draft.rglob("zle.so"))
    functions = ":".join(
        {
            str(root / one.parent.relative_to(draft)): None
            for one in draft.glob("usr/share/zsh/functions/**/*")
        }
    )
    # Zsh takes no path of modules from the environment: a test sets it in its .zshenv.
    zsh = f'export FPATH="{functions}" SHELL_MODULES="{root / modules.relative_to(draft)}"\n'
    for name, more in (("zsh", zsh), ("fish", "")):
        (program,) = {path.resolve() for path in draft.rglob(f"bin/{name}")}
        wrapper = draft / "run" / name
        place = root / program.relative_to(draft.resolve())
        wrapper.write_text(_WRAPPER.format(program=place, libraries=libraries, more=more))
        wrapper.chmod(0o755)


if __name__ == "__main__":
    os.umask(0o022)
    main()
