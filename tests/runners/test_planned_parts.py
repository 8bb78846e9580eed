"""Parts of files, read one by one, give what one process reads of the whole: texts, ids and errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from simil.errors import InputError, UsageError
from simil.formats.sources import Source
from simil.runners.input_files import list_inputs
from simil.runners.parts import Part, part_rows, plan_parts
from simil.runners.ray_cluster import ActorPool, NodeSize, choose_pool
from simil.runners.slices import slice_texts
from simil.runners.survey import MARKED_LINES, survey
from simil.texts import ReadOptions, read_texts

_ROWS = 1100


def planned(names: list[str], options: ReadOptions, rows: int = MARKED_LINES) -> list[Part]:
    """Return the parts of some files."""
    numbered = []
    for source in list_inputs(names):
        before = 0
        for file in source:
            facts = survey(file, options)
            numbered.append((file, facts, before))
            before += facts.rows
    return plan_parts(numbered, rows)


def read_in_parts(names: list[str], options: ReadOptions) -> tuple[list[Any], list[str], list[Any]]:
    """Return texts, errors and places of blank ones."""
    errors: list[InputError] = []
    blank: list[Any] = []
    texts = [
        *chain.from_iterable(
            slice_texts(
                one,
                options,
                several=len(list_inputs(names)) > 1,
                on_blank=blank.append,
                on_error=errors.append,
                keeps_failed=True,
            )
            for part in planned(names, options)
            for one in part.slices
        )
    ]
    return texts, [*map(str, errors)], blank


def read_at_once(names: list[str], options: ReadOptions) -> tuple[list[Any], list[str], list[Any]]:
    errors: list[InputError] = []
    blank: list[Any] = []
    sources = [options.open(Source(name)) for name in names]
    texts = read_texts(sources, options, on_blank=blank.append, on_error=errors.append, keeps_failed=True)
    return [*texts], [*map(str, errors)], blank


def lines(path: Path) -> None:
    every = [f"line {number}" for number in range(_ROWS)]
    every[300], every[700], every[701] = "", "\ufeffa mark", "a\rb"
    path.write_bytes("\r\n".join(every).encode() + b"\xff")


def quoted(path: Path) -> None:
    cells = ['"two\nlines"', '"a ""quote"", and more\r\n"', "plain", '"a" b', '""', "three,cells"]
    rows = [f"{number},{cells[number % 6]}\n" for number in range(_ROWS)]
    path.write_bytes('\ufeff"id","text"\n'.encode() + "".join(rows).encode())


def table(path: Path) -> None:
    path.write_text("sep=;\nn;text\n" + "".join(f"{number};value {number}\n" for number in range(_ROWS)))


def raw(path: Path) -> None:
    path.write_bytes(b"text\tn\n" + b"".join(b'"caf\xe9 %d\t%d\n' % (row, row) for row in range(_ROWS)))


def records(path: Path, id_of: Callable[[int], Any]) -> None:
    def record(number: int) -> str:
        found = {"text": f"value {number}", "n": number, "id": id_of(number)}
        return json.dumps({key: value for key, value in found.items() if value is not None})

    every = [record(number) for number in range(_ROWS)]
    every[400], every[401] = "{", ""
    path.write_text("\n".join(every) + "\n")


def columns(path: Path) -> None:
    texts = [f"value {number}" if number % 50 else None for number in range(_ROWS)]
    pq.write_table(pa.table({"text": texts, "n": range(_ROWS)}), path, row_group_size=300)


def parts(path: Path) -> None:
    path.mkdir()
    for number in range(3):
        columns(path / f"{number}.parquet")


_FILES: dict[str, Callable[[Path], object]] = {
    "lines.txt": lines,
    "quoted.csv": quoted,
    "table.csv": table,
    "raw.tsv": raw,
    "no_ids.jsonl": lambda path: records(path, lambda number: None),
    "ids.jsonl": lambda path: records(path, lambda number: f"x{number}"),
    "some_ids.jsonl": lambda path: records(path, lambda number: None if number % 2 else str(2 * number)),
    "columns.parquet": columns,
    "batches.arrow": lambda path: pyarrow.feather.write_feather(
        pa.table({"text": [f"value {number}" for number in range(_ROWS)]}), path, chunksize=300
    ),
    "parts": parts,
    "old.txt": lambda path: path.write_bytes(b"one\rtwo\rthree"),
    "list.json": lambda path: path.write_text(json.dumps([{"text": f"value {n}"} for n in range(_ROWS)])),
}
_WHOLE = {"some_ids.jsonl", "old.txt", "list.json"}


@pytest.mark.parametrize("name", _FILES)
def test_parts_give_what_the_whole_file_gives(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    _FILES[name](path)
    options = ReadOptions(encoding="cp1252" if name == "raw.tsv" else None)

    assert read_in_parts([str(path)], options) == read_at_once([str(path)], options)
    slices = [one for part in planned([str(path)], options) for one in part.slices]
    assert (len(slices) > 3) == (name not in _WHOLE)


def test_ids_of_several_files_name_theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = ["no_ids.jsonl", "lines.txt", "parts"]
    for name in names:
        _FILES[name](Path(name))

    assert read_in_parts(names, ReadOptions()) == read_at_once(names, ReadOptions())


def test_a_table_without_a_header(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("".join(f"value {number}\n" for number in range(_ROWS)))
    options = ReadOptions(header=False)

    assert read_in_parts([str(path)], options) == read_at_once([str(path)], options)


def test_the_plan_depends_on_nothing_but_the_files(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"{number:03}.txt").write_text("a text\n")
    first = planned([str(tmp_path)], ReadOptions())

    assert first == planned([str(tmp_path)], ReadOptions())
    assert sum(len(part.slices) for part in first) == 300
    assert [part.name for part in first] == [f"part-{number:05}.parquet" for number in range(len(first))]


def test_parts_are_neither_small_nor_large() -> None:
    assert part_rows(200_000, 384) == 4096
    assert part_rows(10_000_000, 384) == 19_456
    assert part_rows(10**9, 384) * 384 * 4 <= 64 << 20
    assert part_rows(10**9, 4096) == 4096


@pytest.mark.parametrize("name", ["-", "nothing*.txt", "no such file"])
def test_what_machines_cannot_open_is_refused(name: str) -> None:
    with pytest.raises((UsageError, InputError)):
        list_inputs([name])


@pytest.mark.parametrize(
    ("nodes", "pool"),
    [
        ([1, 1], ActorPool(2, 1)),
        ([2, 2], ActorPool(2, 2)),
        ([6], ActorPool(2, 3)),
        ([64, 64], ActorPool(32, 4)),
        ([1, 3], ActorPool(4, 1)),
    ],
)
def test_actors_use_all_cores_of_each_node(nodes: list[float], pool: ActorPool) -> None:
    sizes = [*map(NodeSize, nodes)]

    assert choose_pool(sizes, actors=None, cores_per_actor=None, uses_gpus=True) == pool


def test_a_gpu_has_one_actor() -> None:
    nodes = [NodeSize(16, 4), NodeSize(8)]

    assert choose_pool(nodes, actors=None, cores_per_actor=None, uses_gpus=True) == ActorPool(4, 4, 1)
    assert choose_pool(nodes, actors=None, cores_per_actor=4, uses_gpus=False) == ActorPool(6, 4)


@pytest.mark.parametrize(("actors", "cores"), [(3, 1), (None, 2), (1, 4)])
def test_actors_for_which_ray_would_wait_are_refused(actors: int | None, cores: int) -> None:
    with pytest.raises(UsageError, match="2 nodes"):
        choose_pool([NodeSize(1), NodeSize(1)], actors=actors, cores_per_actor=cores, uses_gpus=False)
