"""`simil doctor`: checks this installation."""

from __future__ import annotations

from typing import Annotated

from simil.cli.negative_answer import NegativeAnswer
from simil.cli.options import types as opt
from simil.cli.options import values
from simil.cli.options.declarations import Option
from simil.cli.options.groups import expanded
from simil.cli.options.run import quieted

__all__ = ["doctor"]


@expanded
def doctor(
    model: opt.Model = None,
    base_url: opt.BaseUrl = None,
    offline: opt.Offline = False,
    deep: Annotated[
        bool,
        Option(
            "--deep",
            help="Also import torch, load plug-ins, test the API key, and send the model's API a few "
            "short texts.",
        ),
    ] = False,
    env_file: opt.EnvFile = None,
    form: opt.TextOrJson = "text",
) -> None:
    """Check the installation: versions, engines, models, caches, settings, connections.

    Prints one line per check, with a hint if it fails, and no secrets: it can go into a bug report.
    """
    from simil.cli.commands.doctor_view import show_findings
    from simil.tasks.doctor import diagnose, is_well

    values.check_choice("--format", form, ("text", "json"))
    with quieted():
        findings = diagnose(model=model, base_url=base_url, offline=offline, deep=deep, env_file=env_file)
        shown = list(show_findings(findings, form))
    if not all(map(is_well, shown)):
        raise NegativeAnswer
