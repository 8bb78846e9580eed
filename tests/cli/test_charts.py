"""What charts say and leave out: scales, names, marks, captions, and letters that no font has."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ET
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import font_manager
from support.command import simil

from simil.cli.plots import chart_fonts, terminal_plot
from simil.cli.plots.charts import BarChart, ChartBar, Panel, ScatterPlot, heat_map, mark_of, scatter_plot
from simil.cli.plots.matplotlib_plot import render

_CAPTION = {"title": "Title", "model": "model"}
_SVG = "{http://www.w3.org/2000/svg}"


def written_in(svg: str | bytes) -> list[str]:
    """What is written in a picture."""
    return [text for one in ET.fromstring(svg).iter(f"{_SVG}text") if (text := one.text)]


def test_the_colours_of_a_heat_map_leave_out_the_scores_of_texts_with_themselves() -> None:
    chart = heat_map(
        "abc", np.array([[1, 0.23, 0.58], [0.23, 1, 0.3], [0.58, 0.3, 1]]), metric="cosine", **_CAPTION
    )
    assert np.allclose((chart.low, chart.high), (0.2, 0.6))
    assert np.isnan(np.diag(chart.cells)).all()


def test_the_cells_of_a_large_heat_map_are_means_without_the_diagonal() -> None:
    count = 1001
    scores = np.random.default_rng(0).uniform(size=(count, count))
    chart = heat_map([f"t{number}" for number in range(count)], scores, metric="cosine", **_CAPTION)
    np.fill_diagonal(scores, np.nan)
    assert chart.cells.shape == (501, 501)
    assert np.allclose(chart.cells[0, :2], [np.nanmean(scores[:2, :2]), scores[:2, 2:4].mean()])
    assert np.isnan(chart.cells[-1, -1])


@pytest.mark.parametrize(("count", "named", "said"), [(100, 100, ""), (130, 44, "every 3rd text is named")])
def test_all_rows_are_named_or_it_is_said_which(count: int, named: int, said: str) -> None:
    chart = heat_map(
        [f"text {number}" for number in range(count)], np.eye(count), metric="cosine", **_CAPTION
    )
    written = written_in(render(chart, "svg"))
    assert sum("text " in text and "texts" not in text for text in written) == named
    assert said in " ".join(written)


def test_no_score_is_minus_nothing() -> None:
    chart = heat_map("ab", np.array([[1, -0.001], [-0.001, 1]]), metric="cosine", **_CAPTION)
    assert "-0.00" not in written_in(render(chart, "svg"))


def test_similar_texts_stand_together(tmp_path: Path) -> None:
    texts = ["a red apple", "thunder and rain", "a green apple", "lightning and rain"]
    command = ("compare", *texts, "--plot", "m.svg", "--order", "cluster", "-q")
    assert simil(*command, cwd=tmp_path).code == 0
    names = [text for text in written_in((tmp_path / "m.svg").read_bytes()) if text in texts]
    assert [name.endswith("apple") for name in names[:4]] == [True, True, False, False]


def map_of(groups: int) -> ScatterPlot:
    points = np.array([*itertools.product(range(groups), range(2))], np.float64)
    return scatter_plot(
        points, [f"text {row}" for row in range(2 * groups)],
        groups=np.repeat(range(groups), 2).tolist(), group_names=["words"] * groups,
        marked=range(0, 2 * groups, 2), method="k-means", note="note", **_CAPTION,
    )  # fmt: skip


def test_clusters_have_different_marks() -> None:
    marks = [mark_of(group) for group in range(100)]
    assert len({*marks[:63]}) == 63
    # Neighbours differ in both. Later ones are marked by their numbers.
    assert all(
        one != other
        for this, that in itertools.pairwise(marks[:63])
        for one, other in zip(this, that, strict=True)
    )
    assert all(shape is None for _, shape in marks[63:])


@pytest.mark.parametrize("groups", [3, 20, 70])
def test_clusters_are_named_on_the_map(groups: int) -> None:
    chart = map_of(groups)
    written = written_in(render(chart, "svg"))
    for group in range(groups):
        assert (f"{group + 1} · words" if groups <= 24 else str(group + 1)) in written


def bars(*values: float) -> list[ChartBar]:
    return [
        ChartBar(f"m{number}", value, None, None, f"{value}", False) for number, value in enumerate(values)
    ]


def test_scores_share_one_scale_and_costs_have_their_own() -> None:
    chart = BarChart(
        [Panel("precision", bars(0.67, 0.5)), Panel("F1", bars(0.74, 0.6))], [Panel("start (s)", bars(8, 4))],
        "Title", "caption", "plain",
    )  # fmt: skip
    lines = terminal_plot.render(chart).splitlines()
    long = [line.count("█") or line.count("#") for line in lines if line.startswith("m")]
    full = long[4]
    assert long == [round(value * full) for value in (0.67, 0.5, 0.74, 0.6, 1, 0.5)]
    assert chart.low == 0.0


def test_correlations_below_0_lower_the_beginning_of_the_scale() -> None:
    assert BarChart([Panel("Spearman", bars(-0.3, 0.8))], [], "", "", "").low == -0.5


def test_a_terminal_explains_only_what_it_draws() -> None:
    drawn = scatter_plot(
        np.eye(2), ["a", "b"], scores=np.array([0.1, 0.9]), marked=[1], method="knn",
        note="size and colour show the score", **_CAPTION,
    )  # fmt: skip
    text = " ".join(terminal_plot.render(drawn).split())
    assert "colour" not in text
    assert "distance on the map does not show the score" in text


def test_letters_that_no_font_has_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    # The fonts that matplotlib brings, whichever others are installed here.
    own = [one for one in font_manager.fontManager.ttflist if one.fname.startswith(mpl.get_data_path())]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", own)
    monkeypatch.setattr(font_manager, "findSystemFonts", list)
    families, missing = chart_fonts.families_for(["Äpfel, яблоки", "雷と稲妻", "सेब"])
    assert families == ["DejaVu Sans"]
    assert missing == {*"雷と稲妻सब"}
    note = chart_fonts.missing_font_note(missing)
    assert all(word in note for word in ("Chinese", "Japanese", "Hindi", "fonts-noto-cjk fonts-noto-core"))
    assert "\n" not in note
