"""Completes names of models in the shell."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from typing import Any

__all__ = [
    "AFTER",
    "INSTRUCTION",
    "begun",
    "complete_at_the_first_tab",
    "file_type_names",
    "language_names",
    "model_and_server_names",
    "model_names",
    "part_at_colon",
    "reranker_names",
]

# Set by the script that `--install-completion` installs: the shell asks for completions.
INSTRUCTION = "_SIMIL_COMPLETE"
_BEFORE = "_SIMIL_COMPLETE_BEFORE"
# The words behind the cursor, where the shell tells them.
AFTER = "_SIMIL_COMPLETE_AFTER"
# What the names of models behind an API begin with.
_API = "openai:"


def model_names(incomplete: str) -> list[str]:
    """Return the names of models that begin with `incomplete`: known ones, cached ones, plug-ins.

    Loads no model and opens no connection.
    """
    return begun(incomplete, _known_models())


def model_and_server_names(ctx: Any, incomplete: str) -> list[str]:
    """Return `model_names`, and the models of the server that the command line or the settings name.

    `ctx` is Typer's, with the options before the cursor. The server is asked only where one of its models
    may be meant, and has a second.
    """
    typed = os.environ.get(_BEFORE, "") + incomplete
    may_be_meant = typed.startswith(_API) or _API.startswith(typed)
    names = _server_models(ctx.params) if may_be_meant and "base_url" in ctx.params else []
    return begun(incomplete, [*_known_models(), *(f"{_API}{name}" for name in names)])


def _server_models(options: Mapping[str, Any]) -> Sequence[str]:
    from simil.config import load_settings
    from simil.embedders.openai.listed_models import listed_models
    from simil.errors import SimilError

    # Nothing may stand on the terminal but the line that is being typed.
    logging.disable()
    given = {name: options.get(name) for name in ("base_url", "env_file")}
    try:
        return listed_models(load_settings(**given, offline=options.get("offline") or None))
    except SimilError:  # The run itself will say what is wrong.
        return ()


def _known_models() -> list[str]:
    from simil.models.entry_points import installed_plugins
    from simil.models.hub.snapshots import cached_repos, hub_cache_dir
    from simil.models.names import known_names

    plugins = [f"plugin:{name}" for name in installed_plugins()]
    return [*known_names(), *plugins, *cached_repos(hub_cache_dir())]


def reranker_names(incomplete: str) -> list[str]:
    """Return the names of cross-encoders that begin with `incomplete`: known ones and cached ones.

    Loads no model and opens no connection.
    """
    from simil.models.catalog import catalog
    from simil.models.hub.snapshots import cached_repos, hub_cache_dir

    known = [info.cli_name for info in catalog().values() if info.kind == "reranker"]
    return begun(incomplete, [*known, *cached_repos(hub_cache_dir())])


def language_names(incomplete: str) -> list[str]:
    """Return the languages of stemmers that begin with `incomplete`; none without the extra."""
    from simil.errors import ExtraMissing
    from simil.index.word_tokens import NO_LANGUAGE, languages

    try:
        return begun(incomplete, [*languages(), NO_LANGUAGE])
    except ExtraMissing:
        return []


def file_type_names(incomplete: str) -> list[str]:
    """Return the types of files that begin with `incomplete`."""
    from simil.texts.file_types import file_types

    return begun(incomplete, file_types())


def begun(incomplete: str, names: Iterable[str]) -> list[str]:
    """Return those `names` that begin with what is typed, each once, without what bash keeps of it."""
    before = os.environ.get(_BEFORE, "")
    found = dict.fromkeys(name for name in names if name.startswith(before + incomplete))
    return [name[len(before) :] for name in found]


def complete_at_the_first_tab() -> None:
    """Have the script for zsh complete when it is loaded, too: Typer's only defines what completes.

    Zsh loads it for the first word that is to be completed, which would then take a second tab.
    """
    from typer._completion_shared import _completion_scripts as scripts

    call = '%(complete_func)s "$@"'
    if not scripts["zsh"].rstrip().endswith(call):
        scripts["zsh"] = f"{scripts['zsh'].rstrip()}\n{call}\n"


def part_at_colon(environ: MutableMapping[str, str]) -> None:
    """Cut the last word to the part after its last colon, as bash does, and remember the part before.

    Bash takes `openai:text` for three words and replaces the third; Typer finds the option by counting
    words.
    """
    number = environ.get("COMP_CWORD", "")
    if environ.get(INSTRUCTION) != "complete_bash" or not number.isdigit():
        return
    # Joined by newlines in the installed script; words after the cursor would change the count.
    given = environ.get("COMP_WORDS", "").split("\n")
    words = given[: int(number) + 1]
    environ[AFTER] = "\n".join(given[len(words) :])
    joined = re.sub(r"\n:(\n|$)", ":", "\n".join(words)).split("\n")
    before, colon, after = joined[-1].rpartition(":")
    environ[_BEFORE] = before + colon
    environ["COMP_WORDS"] = "\n".join([*joined[:-1], after])
    environ["COMP_CWORD"] = str(int(number) - (len(words) - len(joined)))
