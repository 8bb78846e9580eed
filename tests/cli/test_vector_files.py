"""Vectors of any form, wherever a command takes texts: as files and as what can be read only once."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from support.command import shell, simil

ROWS = np.array([[1, 0], [0.6, 0.8]], np.float32)
LONG = "The committee met to discuss the budget for the new library. " * 20_000  # over a megabyte
COMPARED = "0.600000\n"


def written(form: str, folder: Path) -> Path:
    """Write two vectors with a cosine of 0.6, the first of a long text where the form holds texts."""
    path = folder / f"vectors.{form}"
    items = [
        {"id": "a", "text": LONG, "embedding": [1, 0]},
        {"id": "b", "text": "b", "embedding": [0.6, 0.8]},
    ]
    match form:
        case "json":
            path.write_text(json.dumps(items))
        case "jsonl":
            path.write_text("".join(json.dumps(item) + "\n" for item in items))
        case "cohere":
            path.write_text(json.dumps({"texts": [LONG, "b"], "embeddings": {"float": ROWS.tolist()}}))
        case "csv":
            rows = "".join(f'{item["id"]},{item["text"]},"{item["embedding"]}"\n' for item in items)
            path.write_text(f"id,text,vector\n{rows}")
        case "npz":
            np.savez(path, vectors=ROWS, texts=np.array([LONG, "b"]))
        case "safetensors":
            save_file({"embeddings": ROWS}, path)
        case "db":
            with closing(sqlite3.connect(path)) as database:
                database.execute("create table collections (id integer primary key, name text, model text)")
                database.execute("create table embeddings (collection_id, id, embedding, content, metadata)")
                database.execute("insert into collections values (1, 'docs', 'm')")
                for item, row in zip(items, ROWS, strict=True):
                    found = (1, item["id"], row.tobytes(), item["text"], None)
                    database.execute("insert into embeddings values (?, ?, ?, ?, ?)", found)
                database.commit()
    return path


FORMS = ["json", "jsonl", "cohere", "csv", "npz", "safetensors", "db"]


@pytest.mark.parametrize("form", FORMS)
def test_files_and_pipes_give_the_same(tmp_path: Path, form: str) -> None:
    name = written(form, tmp_path).name
    for command in (f"simil compare - < {name}", f"cat {name} | simil compare -"):
        result = shell(command, cwd=tmp_path)
        assert (result.code, result.out, result.err) == (0, COMPARED, ""), command
    for command in (
        f"simil embed {name}",
        f"cat {name} | simil embed /dev/stdin",
        f"cat {name} | simil embed",
    ):
        result = shell(f"{command} -f csv | tail -n +2 | rev | cut -d, -f1,2 | rev", cwd=tmp_path)
        assert (result.out, result.err) == ("1.0,0.0\n0.6,0.8\n", ""), command


@pytest.mark.parametrize("form", FORMS)
def test_texts_are_never_embedded_anew(tmp_path: Path, form: str) -> None:
    """A search with a model needs vectors of that model, which these are not."""
    result = simil("search", "library", written(form, tmp_path).name, "-m", "minilm", cwd=tmp_path)
    assert result.code == 3
    assert "cannot be compared" in result.error_line


def test_json_that_is_read_as_plain_text(tmp_path: Path) -> None:
    name = written("cohere", tmp_path).name
    assert simil("embed", name, "--input-format", "text", "-m", "minilm", "-f", "csv", cwd=tmp_path).code == 0


def test_a_collection_for_each_command(tmp_path: Path) -> None:
    name = written("db", tmp_path).name
    for command in ("compare -", "embed", "dedupe --threshold 0.9", "outliers", "cluster --clusters 1"):
        result = shell(f"simil {command} --collection docs < {name} > out", cwd=tmp_path)
        assert result.code == 0, command
        result = shell(f"simil {command} --collection none < {name}", cwd=tmp_path)
        assert result.code == 3, command
        assert result.error_line == "stdin: has no collection 'none': 'docs'; name one with --collection"
