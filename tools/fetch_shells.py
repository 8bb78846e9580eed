"""Put zsh and fish into the environment that this runs in, for the tests of completion: where apt has them.

Needs no root and installs nothing in the system. Where it fails, completion is tested in the shells that are
there.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

# The zsh that needs no modules beside it, as their folder cannot be changed.
_PACKAGES = ("zsh-static", "zsh-common", "fish", "fish-common", "libpcre2-32-0")
_WRAPPER = """\
#!/bin/sh
export {environment}
exec "{program}" "$@"
"""
_PATIENCE_S = 60


def main() -> None:
    folder = Path(sys.prefix, "shells")
    if folder.exists() or all(map(shutil.which, ("zsh", "fish"))):
        return
    try:
        with tempfile.TemporaryDirectory(dir=sys.prefix) as draft:
            _fetch(Path(draft))
            _wrap(Path(draft), folder)
            Path(draft).rename(folder)
            Path(draft).mkdir()  # What the end of this block removes.
    except (subprocess.SubprocessError, OSError, ValueError) as exc:
        print(f"zsh and fish cannot be fetched, so completion is not tested in them: {exc}")


def _fetch(folder: Path) -> None:
    # As who runs this, not as apt's own user, who may not write here.
    apt = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", *_PACKAGES]
    subprocess.run(apt, cwd=folder, check=True, timeout=_PATIENCE_S, stdout=subprocess.DEVNULL)
    for archive in folder.glob("*.deb"):
        subprocess.run(["dpkg", "-x", archive, folder], check=True, timeout=_PATIENCE_S)
        archive.unlink()


def _wrap(draft: Path, folder: Path) -> None:
    """Write programs that find what belongs to them in `folder`, which `draft` becomes."""

    def place(path: Path) -> Path:
        return folder / path.relative_to(draft)

    (draft / "usr" / "etc").symlink_to("../etc")  # Where fish looks, beside its program.
    (library,) = draft.rglob("libpcre2-32.so.0")
    functions = {place(path.parent): None for path in sorted(draft.glob("usr/share/zsh/functions/**/*"))}
    for name, program, environment in (
        ("zsh", "bin/zsh-static", f'FPATH="{":".join(map(str, functions))}"'),
        ("fish", "usr/bin/fish", f'LD_LIBRARY_PATH="{place(library.parent)}"'),
    ):
        wrapper = draft / name
        wrapper.write_text(_WRAPPER.format(environment=environment, program=folder / program), "utf-8")
        wrapper.chmod(0o755)


if __name__ == "__main__":
    main()
