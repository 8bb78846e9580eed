"""The options of commands that draw."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["PlotTo", "Projection"]

PlotTo = Annotated[
    str | None,
    typer.Option(
        "--plot",
        metavar="FILE.png|.svg|.html|-",
        help="Draw it too, into a file or (-) the terminal; needs simil-cli\\[plot].",
    ),
]
Projection = Annotated[
    str,
    typer.Option(
        "--projection",
        metavar="pca|umap",
        help="How --plot brings texts to two dimensions; umap needs simil-cli\\[umap].",
    ),
]
