"""A short form of each part of the torture."""

from __future__ import annotations

from pathlib import Path

import pytest

from torture.__main__ import PARTS, part
from torture.report import Report, Task


@pytest.mark.parametrize("name", PARTS)
def test_torture(name: str, tmp_path: Path) -> None:
    report = Report()
    part(name).run(Task(tmp_path, report, seed=1, scale=0.002))

    assert report.findings == []
    assert report.done.total() > 0
