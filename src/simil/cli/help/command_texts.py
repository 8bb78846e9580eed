"""Finds what is written by hand about a command."""

from __future__ import annotations

from simil.cli.help.about_comparing import COMPARING
from simil.cli.help.about_grouping import GROUPING
from simil.cli.help.about_models import MODELS
from simil.cli.help.about_upkeep import UPKEEP

__all__ = ["TEXTS"]

TEXTS = COMPARING | GROUPING | MODELS | UPKEEP
"""The texts of all commands by their names; those of subcommands have two words."""
