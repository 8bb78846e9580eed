"""Writes a table of texts, removes an output, or compares two: see the functions for their arguments."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from workloads import texts


def write(path: str, rows: str, length: str) -> None:
    """Write so many texts of a length in `workloads`, with an id and a number beside each."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    numbers = range(int(rows))
    columns = {
        "id": [f"r{number}" for number in numbers],
        "text": texts(length, int(rows)),
        "n": numbers,
    }
    pq.write_table(pa.table(columns), path, row_group_size=1 << 16)


def remove(path: str) -> None:
    """Remove a file or a folder, if it is there."""
    if Path(path).is_dir():
        shutil.rmtree(path)
    else:
        Path(path).unlink(missing_ok=True)


def compare(one: str, parts: str) -> None:
    """Print whether a file and a folder of parts hold the same rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    whole = pq.read_table(one)
    joined = pa.concat_tables([pq.read_table(part) for part in sorted(Path(parts).glob("part-*.parquet"))])
    print("identical" if joined.equals(whole, check_metadata=True) else f"{joined.shape} and {whole.shape}")


if __name__ == "__main__":
    sides: dict[str, Callable[..., None]] = {"write": write, "remove": remove, "compare": compare}
    sides[sys.argv[1]](*sys.argv[2:])
