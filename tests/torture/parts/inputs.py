"""Harmed inputs of every format, given to every command; a second reader says what is right.

`python -m torture inputs --keep FOLDER` keeps the files of what was found.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torture.answer_checks import CHECKS, LABELS, QUERY, RIGHT, THRESHOLD
from torture.attempts import Attempt, attempt, check, for_each
from torture.mutations import HARMLESS, mutated
from torture.reference_texts import Reading, texts_in
from torture.reference_vectors import may_be_json, readings, vectors_in
from torture.report import Part, Task
from torture.sound_files import (
    PAIR_FORMS,
    SUFFIXES,
    TEXT_FORMS,
    VECTOR_FORMS,
    rewritten_member,
    some_rows,
)
from torture.word_vectors import MODEL, install

__all__ = ["PART", "Case", "judge", "make", "run"]

_FULL = 5_500
_COMMANDS = {
    "embed": ("embed", "FILE", "-f", "jsonl"),
    "search": ("search", QUERY, "FILE", "-k", "10000", "-f", "jsonl", "-m", MODEL),
    "classify": (
        "classify",
        "FILE",
        *(word for label in LABELS for word in ("--label", label)),
        "-f",
        "json",
    ),
    "cluster": ("cluster", "FILE", "-n", "2", "-f", "json"),
    "outliers": ("outliers", "FILE", "--all", "-k", "1", "-f", "json"),
    "dedupe": ("dedupe", "FILE", "--threshold", str(THRESHOLD)),
    "match": ("match", "FILE", "RIGHT", "-f", "json"),
    "compare": ("compare", "-", "-f", "json"),
    "pairs": ("compare", "--pairs", "FILE", "--field", "text", "--field", "note", "-f", "jsonl"),
}
# embed shows all that was read, and dedupe passes bytes through: these more often.
_WEIGHTS = {"embed": 6, "dedupe": 4, "search": 2}
_PLAIN_FORMS = ("text", "csv", "tsv", "jsonl", "json")
# A read that fails for too few records is right.
_LEAST = {"cluster": 3, "outliers": 3, "compare": 2, "match": 1}


@dataclass(frozen=True, slots=True)
class Case:
    """A file, the command that reads it and how it is named; `must_read` where the change means nothing."""

    number: int
    seed: int
    command: str
    form: str
    holds_vectors: bool
    data: bytes
    change: str
    name: str
    is_named: bool
    is_piped: bool
    skips: bool
    must_read: bool

    def __str__(self) -> str:
        what = "vectors" if self.holds_vectors else "texts"
        return f"input {self.number} of seed {self.seed}: {self.form} of {what}, {self.change}"


def make(number: int, seed: int) -> Case:
    """Make the case of this number; the same again for the same seed."""
    rng = random.Random(f"{seed} {number}")
    kinds = [(form, False) for form in TEXT_FORMS] + [(form, True) for form in VECTOR_FORMS]
    # What is read by our own code more often than what a library reads.
    kinds += [(form, False) for form in _PLAIN_FORMS] * 2
    form, holds_vectors = kinds[number % len(kinds)]
    weights = {name: _WEIGHTS.get(name, 1) for name in _COMMANDS}
    if holds_vectors or form not in PAIR_FORMS:
        del weights["pairs"]
    command = rng.choices([*weights], [*weights.values()])[0]
    data = (VECTOR_FORMS if holds_vectors else TEXT_FORMS)[form](some_rows(rng), rng)
    must_read = not holds_vectors and form in _PLAIN_FORMS and rng.random() < 0.08
    if must_read:
        change = rng.choice([*HARMLESS])
        data = HARMLESS[change](data, rng)
    elif form in ("xlsx", "npz") and rng.random() < 0.6:
        changes: list[str] = []

        def harm(content: bytes) -> bytes:
            harmed, how = mutated(content, rng)
            changes.append(how)
            return harmed

        data = rewritten_member(data, rng, harm)
        change = f"{changes[0]} in the archive"
    else:
        data, change = mutated(data, rng)
    is_piped = command == "compare" or rng.random() < 0.15
    is_named = not holds_vectors and (is_piped or rng.random() < 0.3)
    suffix = SUFFIXES[form]
    if is_named and not is_piped and rng.random() < 0.3:
        suffix = rng.choice([*SUFFIXES.values()])
    return Case(
        number, seed, command, form, holds_vectors, data, change, f"input-{number}{suffix}",
        is_named, is_piped, rng.random() < 0.25, must_read,
    )  # fmt: skip


def arguments(case: Case) -> list[str]:
    """Return the command line, to be run in the folder of the file."""
    file = "-" if case.is_piped else case.name
    right = f"right-{case.form}" if case.is_named else "right.jsonl"
    words = [{"FILE": file, "RIGHT": right}.get(word, word) for word in _COMMANDS[case.command]]
    if case.is_named:
        words += ["--input-format", case.form]
    if case.skips:
        words += ["--on-error", "skip"]
    if case.command == "dedupe" and case.holds_vectors and case.form not in ("jsonl", "json", "csv", "tsv"):
        words += ["-f", "jsonl"]
    if case.number % 10 == 0:
        words += ["-v"]
    return words


def judge(case: Case, done: Attempt) -> tuple[str, str] | None:
    """Return the kind of a fault, and what is wrong; None if a run answered, or refused, what it should."""
    if done.code not in (0, 1, 2, 3, 6):
        return "wrong", f"exit code {done.code}"
    if case.form in ("parquet", "arrow") and done.code in (2, 3):
        return None  # Damaged ones may end the process that reads them: this one.
    name = "stdin" if case.is_piped else case.name
    if not case.holds_vectors:
        accepted = readings(case.data, case.form, name, is_named=case.is_named)
    else:
        accepted = [vectors_in(case.data, case.form, name)]
        if case.form in ("csv", "tsv") and may_be_json(case.data):
            accepted.append(Reading(is_refused=True))
        # What is no longer vectors may be texts; in a pipe, of a format that only the bytes tell.
        forms = {case.form, *_PLAIN_FORMS} if case.is_piped else {case.form, "text"}
        accepted += [texts_in(case.data, form, name) for form in sorted(forms & {*_PLAIN_FORMS})]
    why = [_against(case, done, reading) for reading in accepted]
    return None if None in why else why[0]


def _against(case: Case, done: Attempt, reading: Reading) -> tuple[str, str] | None:
    refuses = reading.is_refused or (reading.bad > 0 and (not case.skips or reading.has_vectors))
    if done.code in (2, 3):
        is_right = refuses or _may_be_refused(case, reading)
        return None if is_right else ("lost", f"refused, though {len(reading.items)} records can be read")
    if reading.is_unknown or (reading.may_refuse and done.code == 6):
        return None
    if refuses:
        return "wrong", f"answered, though {reading.bad or 'all'} records cannot be read"
    if (done.code == 6) != bool(reading.bad):
        return "wrong", f"exit code {done.code} with {reading.bad} bad records"
    if case.command != "pairs" and not _tells_blank(done, reading):
        return "wrong", f"does not say that {reading.blank} texts are blank"
    wrong = _wrong_in(case, done, reading)
    return None if wrong is None else ("wrong", wrong)


def _wrong_in(case: Case, done: Attempt, reading: Reading) -> str | None:
    if not reading.items:
        return None
    try:
        return CHECKS[case.command](reading, done.out)
    except (ValueError, KeyError, TypeError) as exc:
        return f"an answer that cannot be read: {exc!r}"


def _tells_blank(done: Attempt, reading: Reading) -> bool:
    """Whether stderr counts the blank texts; empty lines of a table may be counted with them."""
    told = re.search(rb"(\d+) blank text", done.err)
    return reading.blank <= int(told[1] if told else 0) <= reading.blank + reading.empty


def _may_be_refused(case: Case, reading: Reading) -> bool:
    """Whether a refusal may be right: of what parsers differ in, of too few records, of another model."""
    if case.must_read:
        return len(reading.items) < _LEAST.get(case.command, 0)
    return (
        reading.may_refuse
        or reading.is_unknown
        or len(reading.items) < _LEAST.get(case.command, 1)
        or case.command == "pairs"
        or (reading.has_vectors and case.command in ("search", "classify", "match"))
    )


def run(task: Task) -> None:
    """Give a harmed file to a command and check what it says, again and again."""
    packages = install(task.folder / "packages")
    env = {"PYTHONPATH": str(packages), "SIMIL_MODEL": MODEL}
    folder = task.folder / "files"
    folder.mkdir()
    rng, rows = random.Random(0), [(str(number), text, "") for number, text in enumerate(RIGHT, 1)]
    for form, write in TEXT_FORMS.items():
        folder.joinpath(f"right-{form}").write_bytes(write(rows, rng))
    folder.joinpath("right.jsonl").write_text("".join(f"{json.dumps({'text': text})}\n" for text in RIGHT))

    def do(number: int) -> None:
        case = make(number, task.seed)
        path = folder / case.name
        path.write_bytes(case.data)
        words = arguments(case)
        done = attempt(*words, cwd=folder, env=env, stdin=case.data if case.is_piped else b"")
        task.report.count("hostile inputs")
        how = str(case)
        if check(task.report, done, how) or done.code in (2, 3, 4, 5):
            fault = judge(case, done)
            task.report.count("answers checked", done.code in (0, 1, 6))
            if fault is not None:
                kept = _keep(task, path)
                task.report.found(fault[0], f"{how}{kept}: {fault[1]}: {done}")
        path.unlink()

    for_each(_numbers(task), do)


def _numbers(task: Task) -> Sequence[int]:
    return range(task.times(_FULL, least=2 * (len(TEXT_FORMS) + len(VECTOR_FORMS))))


def _keep(task: Task, path: Path) -> str:
    if task.keep is None:
        return ""
    kept = task.keep / path.name
    kept.write_bytes(path.read_bytes())
    return f" ({kept})"


PART = Part("inputs", run)
