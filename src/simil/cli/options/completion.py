"""What the shell offers when Tab is pressed: names of models."""

from __future__ import annotations

import os
import re
from collections.abc import MutableMapping

__all__ = ["INSTRUCTION", "model_names", "part_at_colon"]

# Set by the script that `--install-completion` installs: the program is asked, not run.
INSTRUCTION = "_SIMIL_COMPLETE"
_BEFORE = "_SIMIL_COMPLETE_BEFORE"


def model_names(incomplete: str) -> list[str]:
    """Return the names that begin with what was typed: known models, those that are here, plug-ins.

    Nothing is loaded, and no socket opened.
    """
    from simil.models.entry_points import installed_plugins
    from simil.models.hub.snapshots import cached_repos, hub_cache_dir
    from simil.models.names import known_names

    names = [*known_names(), *(f"plugin:{name}" for name in installed_plugins())]
    names += cached_repos(hub_cache_dir())
    before = os.environ.get(_BEFORE, "")
    begun = dict.fromkeys(name for name in names if name.startswith(before + incomplete))
    return [name[len(before) :] for name in begun]


def part_at_colon(environ: MutableMapping[str, str]) -> None:
    """Let the last word be what stands after its last colon, as it is for bash, and note what is before.

    Bash takes `openai:text` for three words and replaces the third; options and their values are told by
    counting words.
    """
    number = environ.get("COMP_CWORD", "")
    if environ.get(INSTRUCTION) != "complete_bash" or not number.isdigit():
        return
    # The installed script joins them so; those behind the cursor would move what is counted.
    words = environ.get("COMP_WORDS", "").split("\n")[: int(number) + 1]
    joined = re.sub(r"\n:(\n|$)", ":", "\n".join(words)).split("\n")
    before, colon, after = joined[-1].rpartition(":")
    environ[_BEFORE] = before + colon
    environ["COMP_WORDS"] = "\n".join([*joined[:-1], after])
    environ["COMP_CWORD"] = str(int(number) - (len(words) - len(joined)))
