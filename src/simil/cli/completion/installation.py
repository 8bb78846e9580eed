"""`simil --install-completion` and `simil --show-completion`: the script of a shell, where it is loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from simil.cli.completion.shell_scripts import SCRIPTS
from simil.data_stream import stdout
from simil.errors import UsageError
from simil.near_names import close_matches, did_you_mean

__all__ = ["INSTALL", "SHOW", "install_completion", "show_completion"]

INSTALL, SHOW = "--install-completion", "--show-completion"
_POWERSHELLS = ("powershell", "pwsh")


def show_completion(words: Sequence[str]) -> None:
    """Print the script of the shell that `words` name, or of this one; errors as in `install_completion`."""
    stdout().write(SCRIPTS[_script_name(_shell(SHOW, words))])


def install_completion(words: Sequence[str]) -> None:
    """Write the script of the shell that `words` name, or of this one, and have the shell load it.

    Raises `UsageError` for a shell that is not known, and OSError where a file cannot be written.
    """
    shell = _shell(INSTALL, words)
    script = _script_name(shell)
    path = _path(shell)
    path.parent.mkdir(parents=True, exist_ok=True)
    if script == "powershell":
        _add_lines(path, SCRIPTS[script])
    else:
        path.write_text(SCRIPTS[script], "utf-8")
    if script == "bash":
        _add_lines(Path.home() / ".bashrc", f"source '{path}'\n")
    elif script == "zsh":
        loads = f"fpath+=('{path.parent}'); autoload -Uz compinit; compinit\n"
        _add_lines(Path(os.environ.get("ZDOTDIR") or Path.home()) / ".zshrc", loads)
    sys.stderr.write(
        f"simil: completion for {shell} is in {path}; it works in the next shell that you open\n"
    )


def _shell(option: str, words: Sequence[str]) -> str:
    """Return the shell that is named behind `option`, or else the one that simil runs in."""
    known = (*SCRIPTS, "pwsh")
    match words:
        case []:
            shell = _running_shell()
        case [shell]:
            pass
        case _:
            raise UsageError(f"{option} takes one shell", hint=f"name one of {', '.join(known)}")
    if shell not in known:
        meant = did_you_mean(close_matches(shell, known)[:1])
        said = f"there is no completion for {shell or 'this shell'}"
        raise UsageError(said, hint=meant or f"name one of {', '.join(known)}")
    return shell


def _running_shell() -> str:
    """Return the shell that has started simil, or else the user's."""
    if os.name == "nt":
        return "powershell"
    ps = ["ps", "-o", "comm=", "-p", str(os.getppid())]
    with suppress(OSError):
        parent = subprocess.run(ps, check=False, capture_output=True, text=True).stdout.strip()
        name = Path(parent).name.removeprefix("-")
        if name in SCRIPTS or name in _POWERSHELLS:
            return name
    return Path(os.environ.get("SHELL", "")).name


def _script_name(shell: str) -> str:
    return "powershell" if shell in _POWERSHELLS else shell


def _path(shell: str) -> Path:
    """Return the file of the script, in PowerShell the profile that it becomes a part of."""
    home = Path.home()
    match shell:
        case "bash":
            return home / ".bash_completions" / "simil.sh"
        case "zsh":
            return home / ".zfunc" / "_simil"
        case "fish":
            config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
            return config / "fish" / "completions" / "simil.fish"
    command = [shell, "-NoProfile", "-Command", "echo $profile"]
    return Path(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())


def _add_lines(path: Path, lines: str) -> None:
    """Add `lines` to the end of a file of the user's, once; it may be a link."""
    before = path.read_text("utf-8", "surrogateescape") if path.exists() else ""
    if lines not in before:
        with path.open("a", encoding="utf-8") as file:
            file.write("\n" * bool(before and not before.endswith("\n")) + lines)
