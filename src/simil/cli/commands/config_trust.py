"""`simil config`: the folders whose `.env` the user trusts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from simil.cli.negative_answer import NegativeAnswer
from simil.cli.options import types as opt
from simil.cli.options.declarations import Argument
from simil.cli.options.groups import expanded
from simil.cli.options.run import notes_on_stderr
from simil.cli.output.cells import visible
from simil.data_stream import stdout
from simil.errors import Place, UsageError

__all__ = ["SUBCOMMANDS"]


Folder = Annotated[
    Path, Argument(metavar="[FOLDER]", help="Folder that holds the .env.", default="the current folder")
]
_HERE = Path()


@expanded
def trust(folder: Folder = _HERE, quiet: opt.Quiet = False) -> None:
    """Let the .env of a folder choose any model and server, until it changes; print what it chooses."""
    from simil.config import dotenv_of, parse_dotenv, read_settings_file
    from simil.consent import trust as remember

    path = dotenv_of(folder)
    if not path.is_file():
        raise UsageError(
            "there is no .env in this folder",
            hint="name its folder, as in: simil config trust ~/project",
            place=Place(str(folder)),
        )
    with notes_on_stderr(quiet=quiet, verbose=False):
        content = read_settings_file(path)
        chosen = _chosen(parse_dotenv(content, str(path)))
        remember(path, content)
    if not quiet:
        stdout().write(f"{visible(str(path))} is trusted until it changes{chosen}\n")


@expanded
def untrust(folder: Folder = _HERE, quiet: opt.Quiet = False) -> None:
    """Take back the trust in the .env of a folder; exit with 1 if there was none."""
    from simil.config import dotenv_of
    from simil.consent import untrust as forget

    path = visible(str(dotenv_of(folder)))
    was_trusted = forget(dotenv_of(folder))
    if not quiet:
        stdout().write(f"{path} is not trusted any more\n" if was_trusted else f"{path} was not trusted\n")
    if not was_trusted:
        raise NegativeAnswer


@expanded
def listed() -> None:
    """Print each .env that was trusted, and whether it still is."""
    from simil.consent import trusted_files

    for path in trusted_files():
        stdout().write(f"{_state(path)}\t{visible(str(path))}\n")


def _state(path: Path) -> str:
    """Return whether a file that was trusted still is."""
    from simil.config import read_settings_file
    from simil.consent import is_trusted

    try:
        content = read_settings_file(path) if path.is_file() else None
    except UsageError:
        content = None
    return "trusted" if content is not None and is_trusted(path, content) else "changed since"


def _chosen(values: Mapping[str, str]) -> str:
    """Return what a `.env` chooses, as the end of a sentence, without anything secret."""
    from simil.consent import host_of
    from simil.embedders.openai.endpoint import Scrubber

    model, url = (values.get(name, "").strip() for name in ("SIMIL_MODEL", "OPENAI_BASE_URL"))
    said = [f"the model {model}"] * bool(model) + [f"the server {host_of(url)}"] * bool(url)
    scrub = Scrubber([values.get("OPENAI_API_KEY", "").strip()])
    return f"; it chooses {visible(scrub(' and '.join(said)))}" if said else ""


SUBCOMMANDS = {"trust": trust, "untrust": untrust, "list": listed}
