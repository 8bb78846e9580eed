"""Completes names of models in the shell."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, MutableMapping

__all__ = ["INSTRUCTION", "language_names", "model_names", "part_at_colon", "reranker_names"]

# Set by the script that `--install-completion` installs: the shell asks for completions.
INSTRUCTION = "_SIMIL_COMPLETE"
_BEFORE = "_SIMIL_COMPLETE_BEFORE"


def model_names(incomplete: str) -> list[str]:
    """Return the names of models that begin with `incomplete`: known ones, cached ones, plug-ins.

    Loads no model and opens no connection.
    """
    from simil.models.entry_points import installed_plugins
    from simil.models.hub.snapshots import cached_repos, hub_cache_dir
    from simil.models.names import known_names

    plugins = [f"plugin:{name}" for name in installed_plugins()]
    return _begun(incomplete, [*known_names(), *plugins, *cached_repos(hub_cache_dir())])


def reranker_names(incomplete: str) -> list[str]:
    """Return the names of cross-encoders that begin with `incomplete`: known ones and cached ones.

    Loads no model and opens no connection.
    """
    from simil.models.catalog import catalog
    from simil.models.hub.snapshots import cached_repos, hub_cache_dir

    known = [info.cli_name for info in catalog().values() if info.kind == "reranker"]
    return _begun(incomplete, [*known, *cached_repos(hub_cache_dir())])


def language_names(incomplete: str) -> list[str]:
    """Return the languages of stemmers that begin with `incomplete`; none without the extra."""
    from simil.errors import ExtraMissing
    from simil.index.word_tokens import NO_LANGUAGE, languages

    try:
        return _begun(incomplete, [*languages(), NO_LANGUAGE])
    except ExtraMissing:
        return []


def _begun(incomplete: str, names: Iterable[str]) -> list[str]:
    before = os.environ.get(_BEFORE, "")
    begun = dict.fromkeys(name for name in names if name.startswith(before + incomplete))
    return [name[len(before) :] for name in begun]


def part_at_colon(environ: MutableMapping[str, str]) -> None:
    """Cut the last word to the part after its last colon, as bash does, and remember the part before.

    Bash takes `openai:text` for three words and replaces the third; Typer finds the option by counting
    words.
    """
    number = environ.get("COMP_CWORD", "")
    if environ.get(INSTRUCTION) != "complete_bash" or not number.isdigit():
        return
    # Joined by newlines in the installed script; words after the cursor would change the count.
    words = environ.get("COMP_WORDS", "").split("\n")[: int(number) + 1]
    joined = re.sub(r"\n:(\n|$)", ":", "\n".join(words)).split("\n")
    before, colon, after = joined[-1].rpartition(":")
    environ[_BEFORE] = before + colon
    environ["COMP_WORDS"] = "\n".join([*joined[:-1], after])
    environ["COMP_CWORD"] = str(int(number) - (len(words) - len(joined)))
