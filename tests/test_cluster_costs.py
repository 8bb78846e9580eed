"""The sums in docs/many-machines.md follow from its rates and from the catalog's prices."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simil.models.catalog import find_info

PAGE = (Path(__file__).parents[1] / "docs" / "many-machines.md").read_text("utf-8")
TEXTS, TOKENS = 100_000_000, 14
ROWS = re.findall(r"^\| `.*?\| ([\d,]+) \| ([\d,]+) s \| (\d+) (minutes|core-hours) \|$", PAGE, re.MULTILINE)


def test_seconds_and_hours_follow_from_the_rates() -> None:
    assert len(ROWS) == 6
    for rate, seconds, amount, unit in ROWS:
        exact = TEXTS / float(rate.replace(",", ""))
        assert round(exact) == int(seconds.replace(",", ""))
        assert round(exact / (60 if unit == "minutes" else 3600)) == int(amount)


@pytest.mark.parametrize("name", ["text-embedding-3-small", "text-embedding-3-large"])
def test_prices_are_those_of_the_catalog(name: str) -> None:
    info = find_info(name)
    assert info is not None
    assert info.price is not None
    millions = TEXTS * TOKENS // 1_000_000
    assert f"{millions:,} x ${info.price} = ${millions * info.price:.0f} with `{name}`" in PAGE.replace(
        "\n", " "
    )
