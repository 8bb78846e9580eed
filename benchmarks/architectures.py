"""The architectures of embedding models: which engine runs each, how exactly, and what a start costs."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from architecture_shapes import ARCHITECTURES, Architecture
from architectures_side import kinds_of, vectors_path
from bench import Bench, Suite, say
from measure import MeasurementFailed, Usage, run
from report import Check, Row
from workloads import texts

__all__ = ["SUITES", "few_texts", "many_texts"]

_LEAST_COSINE = 0.99999
_TORCH = re.compile(r"runs in sentence-transformers: (.*)")
_ENGINE = re.compile(r"^simil: \S+: (\w+), float32, ", re.MULTILINE)


def few_texts() -> list[str]:
    """Return 14 texts of all lengths: shorter than a step of padding, of several steps, beyond the limit."""
    words = " ".join(texts("12 words", 60)).split()
    return [
        ".",
        "a",
        "Apple",
        "?! … (), — «»",
        "The quick brown fox jumps over the lazy dog.",
        "Naïve café, ﬁne ½ e\u0301 😀 👩‍👩‍👧",
        "今天天气很好我们去公园散步",
        "Привет, мир! שלום עולם",
        "line one\nline two\ttabbed   spaced",
        *(" ".join(words[number:][:number]) for number in (33, 61, 70, 101, 600)),
    ]


def many_texts() -> list[str]:
    """Return more tokens than a few: simil runs them in its session for many texts."""
    words = " ".join(texts("12 words", 90)).split()
    return [*few_texts(), *(" ".join(words[start:][: 20 + 7 * start]) for start in range(1, 25))]


@dataclass(frozen=True, slots=True)
class _Runs:
    """What simil did with a folder, and how near its vectors are to the peer's.

    `again` says that the second run replaced files of the cache: something was prepared or tried again.
    """

    first: Usage
    second: Usage
    many: Usage
    cosine: float
    again: bool

    @property
    def torch(self) -> str:
        """Why the model runs in sentence-transformers; "" if an engine of simil's runs it."""
        found = _TORCH.search(self.second.stderr)
        return found[1] if found else ""


def architectures(bench: Bench, names: Sequence[str] = ()) -> list[Row]:
    """A row for each folder, or for those that are named, and one for all."""
    chosen = [item for item in ARCHITECTURES if not names or item.name in names]
    folder = bench.folder / "architectures"
    folder.mkdir()
    listed = [item.name for item in chosen]
    run(bench.script("architectures_side.py", "build", str(folder), *listed), env=bench.env, cwd=folder)
    _write_texts(folder)
    told = [item.name for item in chosen if not item.refused]
    peer = bench.script("architectures_side.py", "encode", str(folder), str(folder / "many.txt"), *told)
    failed = json.loads(run(peer, env=bench.env, cwd=folder).stdout)
    rows = [_row(bench, folder, item, failed) for item in chosen]
    holding = sum(row.holds for row in rows)
    refused = sum(item.refused for item in chosen)
    note = f"{holding} hold, {refused} of them by being refused"
    return [Check(f"{len(rows)} folders", [], holding == len(rows), "all", note), *rows]


def _write_texts(folder: Path) -> None:
    for name, content in {"few": few_texts(), "many": many_texts()}.items():
        strings = "".join(f"{json.dumps(text)}\n" for text in content)
        (folder / f"{name}.txt").write_text(strings, "utf-8")
        objects = "".join(f"{json.dumps({'text': text})}\n" for text in content)
        (folder / f"{name}.jsonl").write_text(objects, "utf-8")


def _row(bench: Bench, folder: Path, item: Architecture, failed: Mapping[str, str]) -> Check:
    say(item.name)
    name = f"{item.name}: {item.stands_for}"
    if item.name in failed:
        return Check(name, [], holds=False, bar="", note=f"the peer fails: {failed[item.name]}")
    try:
        runs = _measured(bench, folder, item)
    except MeasurementFailed as exc:
        said = str(exc).strip().splitlines()[-1].replace(f"{folder}{os.sep}", "")
        return Check(name, [], holds=item.refused, bar="refused" if item.refused else "", note=said)
    engine = f"torch, since {runs.torch}" if runs.torch else _engines(runs)
    note = f"cosine {runs.cosine:.7f}; first {_cost(runs.first)}; second {_cost(runs.second)}"
    note += f"; many texts {_cost(runs.many)}; {engine}"
    note += "; tried again in the second run" if runs.again else ""
    holds = runs.cosine >= _LEAST_COSINE and not runs.again and not item.refused
    return Check(name, [runs.second.seconds], holds, f">= {_LEAST_COSINE}", note)


def _engines(runs: _Runs) -> str:
    """Return the engines that simil names under -v, for a few texts and for many."""
    named = [found[1] for usage in (runs.second, runs.many) if (found := _ENGINE.search(usage.stderr))]
    return " and ".join(dict.fromkeys(named)) or "an engine that is not named"


def _cost(usage: Usage) -> str:
    return f"{usage.seconds:.2f} s, {usage.peak_bytes / 1e6:.0f} MB"


def _measured(bench: Bench, folder: Path, item: Architecture) -> _Runs:
    """Embed a few texts twice and many texts as every kind that the model tells apart."""
    env = bench.env | {"SIMIL_CACHE_DIR": str(folder / f"{item.name}.cache")}
    embed = partial(_embed, bench, env, folder, item)
    kinds = kinds_of(item)
    first, *_ = embed("few", kinds[0])
    before = _files(Path(env["SIMIL_CACHE_DIR"]))
    second, cosine = embed("few", kinds[0])
    again = _files(Path(env["SIMIL_CACHE_DIR"])) != before
    many = [embed("many", kind) for kind in kinds]
    return _Runs(first, second, many[0][0], min(cosine, *(cosine for _, cosine in many)), again)


def _embed(
    bench: Bench, env: Mapping[str, str], folder: Path, item: Architecture, texts: str, kind: str
) -> tuple[Usage, float]:
    """Embed a file; return what that took, and the worst cosine to the peer's vectors."""
    output = folder / f"ours.{item.name}.npy"
    command = [bench.simil, "embed", "-v", "--no-cache", "-m", str(folder / item.name), "--kind", kind]
    command += ["--overflow", "truncate", str(folder / f"{texts}.jsonl"), "-o", str(output)]
    usage = run(command, env=env, cwd=folder)
    return usage, _worst_cosine(vectors_path(folder, item.name, kind), output)


def _worst_cosine(peer: Path, ours: Path) -> float:
    """Return the least cosine of the rows of `ours` and the first rows of `peer`."""
    import numpy as np

    left, right = np.load(peer).astype(np.float64), np.load(ours).astype(np.float64)
    left = left[: len(right)]
    if left.shape != right.shape:
        raise MeasurementFailed(f"{ours.name}: shape {right.shape}, not {left.shape}")
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    return float(((left * right).sum(axis=1) / lengths).min())


def _files(folder: Path) -> dict[str, int]:
    """Return the files in a folder with their inodes: one that is only used keeps its own."""
    return {
        os.path.relpath(path, folder): path.stat().st_ino
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith((".lock", "-shm", "-wal"))
    }


SUITES = {
    "architectures": Suite(
        "Architectures",
        "Folders in the architectures of known models, tiny, with random weights (see "
        "benchmarks/architecture_shapes.py), embedded by whole processes: the first prepares the model, the "
        "second finds it prepared, the third has many texts. Peer: `SentenceTransformer.encode`, text by "
        "text; the cosine is that of the worst text.",
        architectures,
    )
}
