"""Hostile model folders: each is refused with one line, or gives what the undisturbed folder gives."""

from __future__ import annotations

import json
import os
import pickle
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file
from support.small_models import write_bert

from simil.models.files import model_source as source
from torture.attempts import LIMIT_S, Attempt, attempt, check, for_each
from torture.report import Part, Task

__all__ = ["PART"]

_WHAT = "hostile folders and plug-ins"
_TEXTS = ("Apple", "an orange on the table")
_KB = 6_000_000  # of memory for a run whose settings ask for more
_BOUNDED = ["/bin/sh", "-c", f'ulimit -v {_KB}; exec "$@"', "sh", sys.executable, "-m", "simil"]
# What only sentence-transformers can refuse has torch imported, which takes long on a busy machine.
_WITH_TORCH_S = 90.0
_DEEP = b"[" * 100_000
_ST = "sentence_transformers.models."
_WRONG = (None, True, -1, 0, 1.5, 10**9, 10**30, "x", [], {}, [[]], float("nan"), float("inf"))

Change = Callable[[Path], None]


@dataclass(frozen=True, slots=True)
class Case:
    """A folder to be made of a sound one by `change`.

    `outcome` is "refused", "same" as the sound one, "either" of them, or just that it "ends". A `bounded` one
    is run with little memory.
    """

    group: str
    name: str
    change: Change
    outcome: str
    base: str = "bert"
    bounded: bool = False


class _Trap:
    """A pickle that makes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self._path),)


def _run(task: Task) -> None:
    sound = {"bert": write_bert(task.folder / "bert"), "static": _static(task.folder / "static")}
    marker, outside = task.folder / "planted", task.folder / "outside"
    (outside / "1_Pooling").mkdir(parents=True)
    (outside / "1_Pooling" / "config.json").write_text('{"pooling_mode": "cls"}')
    (outside / "model.safetensors").write_bytes((sound["bert"] / "model.safetensors").read_bytes())
    answers = {base: _answer(_compare(folder)) for base, folder in sound.items()}
    cases = _chosen([*_cases(marker, outside)], task)

    def one(numbered: tuple[int, Case]) -> None:
        number, case = numbered
        folder = task.folder / "cases" / str(number)
        _copy(sound[case.base], folder)
        case.change(folder)
        task.report.count(_WHAT)
        limit_s = _WITH_TORCH_S if case.group == "code" else LIMIT_S
        done = _compare(folder, bounded=case.bounded, limit_s=limit_s)
        _judge(task, case, done, answers[case.base])
        if task.scale > 0.01:
            _others(task, case, folder)
        if marker.exists():
            task.report.found("leaked", f"{case.group} {case.name}: its code was run")
            marker.rmdir()

    for_each(enumerate(cases), one)


def _chosen(cases: list[Case], task: Task) -> list[Case]:
    """Return all cases at full scale, at least one of each group at any."""
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(case.group, []).append(case)
    return [
        group[(task.seed + number) % len(group)]
        for group in groups.values()
        for number in range(min(task.times(len(group)), len(group)))
    ]


def _compare(folder: Path, *, bounded: bool = False, limit_s: float = LIMIT_S) -> Attempt:
    return attempt(
        *("compare", "-m", str(folder), *_TEXTS),
        env={"SIMIL_OFFLINE": "1", "SIMIL_CACHE": "0"},
        command=_BOUNDED if bounded else None,
        limit_s=limit_s,
    )


def _answer(done: Attempt) -> float:
    return float(done.out.split()[0])


def _judge(task: Task, case: Case, done: Attempt, expected: float) -> None:
    named = f"{case.group} {case.name}"
    answered = check(task.report, done, named)
    if done.hung or case.outcome == "ends":
        return
    if answered and (case.outcome == "refused" or abs(_answer(done) - expected) > 1e-5):
        task.report.found("wrong", f"{named}: {done.out!r}, the sound folder gives {expected}; {done}")
    if not answered and (done.code != 4 or case.outcome == "same" or done.err.count(b"simil: ") != 1):
        task.report.found("wrong", f"{named}: not refused as it should be: {done}")


def _others(task: Task, case: Case, folder: Path) -> None:
    """Run what only looks at a model, and what writes a file, which then is whole or not there."""
    saved = folder.with_suffix(".npy")
    for arguments in (
        ("models", "path", str(folder)),
        ("doctor", "-m", str(folder), "--offline"),
        ("embed", "-m", str(folder), "-o", str(saved), "--offline"),
    ):
        limit_s = _WITH_TORCH_S if case.group == "code" else LIMIT_S
        done = attempt(*arguments, stdin="\n".join(_TEXTS).encode(), limit_s=limit_s)
        check(task.report, done, f"{case.group} {case.name}")
    if saved.exists() and (case.outcome == "refused" or len(np.load(saved)) != len(_TEXTS)):
        task.report.found("wrong", f"{case.group} {case.name}: wrote {saved}")
    if [*folder.parent.glob(f".{saved.name}*")]:
        task.report.found("wrong", f"{case.group} {case.name}: left a temporary file")


def _copy(folder: Path, to: Path) -> None:
    """Copy a folder; its weights are links to the same files, which changes replace."""
    for parent, _, names in os.walk(folder):
        into = to / Path(parent).relative_to(folder)
        into.mkdir(parents=True)
        for name in names:
            os.link(Path(parent, name), into / name)


def _static(folder: Path) -> Path:
    """Write a static model as model2vec does."""
    folder.mkdir()
    tokenizer = (source.EMBEDDED / "tokenizer.json").read_bytes()
    (folder / "tokenizer.json").write_bytes(tokenizer)
    (folder / "config.json").write_text('{"normalize": true}')
    table = np.random.default_rng(1).normal(size=(30_522, 8)).astype(np.float32)
    save_file({"embeddings": table}, folder / "model.safetensors")
    return folder


def _write(name: str, data: bytes) -> Change:
    def change(folder: Path) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(data)

    return change


def _set(name: str, **values: Any) -> Change:
    """Set keys of a JSON file."""

    def change(folder: Path) -> None:
        value = json.loads((folder / name).read_text("utf-8")) | values
        _write(name, json.dumps(value).encode())(folder)

    return change


def _modules(edit: Callable[[list[dict[str, Any]]], object]) -> Change:
    def change(folder: Path) -> None:
        modules = json.loads((folder / "modules.json").read_text("utf-8"))
        edit(modules)
        _write("modules.json", json.dumps(modules).encode())(folder)

    return change


def _bytes_of(name: str, edit: Callable[[bytes], bytes]) -> Change:
    return lambda folder: _write(name, edit((folder / name).read_bytes()))(folder)


def _instead(name: str, make: Callable[[Path], object]) -> Change:
    """Put something else than a file in the place of one."""

    def change(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        make(folder / name)

    return change


def _header(edit: Callable[[dict[str, Any]], object]) -> Change:
    """Change what the header of the weights says."""

    def edited(data: bytes) -> bytes:
        size = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + size])
        edit(header)
        written = json.dumps(header).encode()
        return len(written).to_bytes(8, "little") + written + data[8 + size :]

    return _bytes_of("model.safetensors", edited)


def _cases(marker: Path, outside: Path) -> Iterator[Case]:
    yield from _settings()
    yield from _paths(outside)
    yield from _weights()
    yield from _tokenizers()
    yield from _code(marker)
    yield from _no_files()


def _settings() -> Iterator[Case]:
    for key in ("num_hidden_layers", "hidden_size", "vocab_size", "max_position_embeddings"):
        for value in (-1, 10**6, 10**9, "x", float("nan"), 1e400, [[]]):
            # Fewer positions than there are, or another width, may be what transformers makes do with.
            yield Case(
                "sizes", f"{key}={value}", _set("config.json", **{key: value}), "refused", bounded=True
            )
    for key in ("num_attention_heads", "intermediate_size", "layer_norm_eps"):
        for value in (-1, "x", [[]]):
            yield Case("settings", f"{key}={value}", _set("config.json", **{key: value}), "either")
    for value in _WRONG[1:]:
        change = _set("sentence_bert_config.json", max_seq_length=value)
        yield Case("limits", f"max_seq_length={value}", change, "either")
    for name in ("config.json", "modules.json", "1_Pooling/config.json", "tokenizer_config.json"):
        for data in (b"", b"\xff\xfe", b"null", b"[]", b"9" * 5000, _DEEP, b'{"a":' * 100_000, b"\0" * 99):
            yield Case("json", f"{name}={data[:9]!r}", _write(name, data), "refused")
    for value in (3, ["a"], {"a": 3}, "x"):
        change = _write("config_sentence_transformers.json", json.dumps({"prompts": value}).encode())
        yield Case("prompts", f"{value}", change, "refused")
    for value in ({}, [], 7):
        change = _write(
            "config_sentence_transformers.json",
            json.dumps({"prompts": {"a": "b"}, "default_prompt_name": value}).encode(),
        )
        yield Case("prompts", f"default {value}", change, "either")


def _paths(outside: Path) -> Iterator[Case]:
    pooling = str(outside / "1_Pooling")
    for path in (
        "../outside/1_Pooling",
        pooling,
        "1_Pooling/../../../outside/1_Pooling",
        "..",
        "a\0b",
        5,
        [1],
    ):
        change = _modules(lambda modules, path=path: modules[1].update(path=path))
        yield Case("paths", f"module {path!r}", change, "refused")

    def linked(folder: Path) -> None:
        (folder / "1_Pooling" / "config.json").unlink()
        (folder / "1_Pooling").rmdir()
        (folder / "1_Pooling").symlink_to(outside / "1_Pooling")

    yield Case("paths", "a folder that is a link out", linked, "refused")
    yield Case(
        "paths",
        "a file that is a link",
        _instead("model.safetensors", lambda path: path.symlink_to(outside / "model.safetensors")),
        "same",
    )
    for name in ("../outside/model.safetensors", str(outside / "model.safetensors")):
        index = json.dumps({"weight_map": {"a": name}}).encode()
        yield Case("paths", f"shard {name}", _write("model.safetensors.index.json", index), "refused")


def _weights() -> Iterator[Case]:
    name = "model.safetensors"
    word = "embeddings.word_embeddings.weight"
    for what, edit in {
        "cut": lambda data: data[:-100],
        "cut in the header": lambda data: data[:50],
        "empty": lambda data: b"",
        "huge header": lambda data: (2**62).to_bytes(8, "little") + data[8:],
        "header beyond the end": lambda data: (len(data)).to_bytes(8, "little") + data[8:],
        "deep header": lambda data: (100_000).to_bytes(8, "little") + _DEEP,
        "more at the end": lambda data: data + bytes(100),
    }.items():
        yield Case(
            "weights", what, _bytes_of(name, edit), "either" if what == "more at the end" else "refused"
        )
    for what, change in {
        "overlap": lambda header: header["encoder.layer.0.output.dense.weight"].update(
            data_offsets=[0, 8192]
        ),
        "other dtype": lambda header: header[word].update(dtype="F16"),
        "no dtype": lambda header: header[word].update(dtype="X"),
        "negative": lambda header: header[word].update(data_offsets=[-8, 0]),
        "huge": lambda header: header[word].update(shape=[10**12, 32]),
        "shape of text": lambda header: header[word].update(shape=["x"]),
        "turned": lambda header: header[word].update(shape=[32, 30_522]),
        "renamed": lambda header: header.update(x=header.pop("encoder.layer.0.output.dense.weight")),
        "no tensors": lambda header: header.clear(),
    }.items():
        yield Case("headers", what, _header(change), "refused")


def _tokenizers() -> Iterator[Case]:
    name = "tokenizer.json"

    def edited(edit: Callable[[dict[str, Any]], object]) -> Change:
        def change(folder: Path) -> None:
            value = json.loads((folder / name).read_text("utf-8"))
            edit(value)
            _write(name, json.dumps(value).encode())(folder)

        return change

    def split(pattern: str) -> Change:
        rule = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
        return edited(lambda value: value.update(pre_tokenizer=rule))

    for base in ("bert", "static"):
        yield Case(
            "tokens",
            "beyond the table",
            edited(lambda value: value["model"]["vocab"].update(apple=10**6)),
            "refused",
            base,
        )
        yield Case("tokens", "no model", edited(lambda value: value.pop("model")), "refused", base)
        yield Case("tokens", "a list", _write(name, b"[]"), "refused", base)
        yield Case(
            "tokens",
            "two of one id",
            edited(lambda value: value["model"]["vocab"].update(zzz=1996)),
            "either",
            base,
        )
        yield Case("tokens", "not a pattern", split("((("), "refused", base)
        yield Case(
            "tokens",
            "negative id",
            edited(lambda value: value["model"]["vocab"].update(apple=-1)),
            "refused",
            base,
        )
    # No match, after ever more steps: the library gives up, or we do.
    yield Case("patterns", "exponential", split(r"(\w+)+\W*z$"), "ends")
    yield Case("patterns", "polynomial", split(r"(\w*)(\w*)(\w*)(\w*)[!]"), "ends")


def _code(marker: Path) -> Iterator[Case]:
    trap = pickle.dumps(_Trap(marker))
    planted = f"import os\nos.mkdir({str(marker)!r})\nclass Thing:\n    pass\n".encode()

    def without_weights(then: Change) -> Change:
        def change(folder: Path) -> None:
            (folder / "model.safetensors").unlink()
            then(folder)

        return change

    # As large as the weights would have to be.
    weights = _write("pytorch_model.bin", pickle.dumps([_Trap(marker), bytes(20_000_000)]))
    yield Case("code", "pickled weights", without_weights(weights), "refused")

    def argument(folder: Path) -> None:
        weights(folder)
        _set("sentence_bert_config.json", model_args={"weights_only": False})(folder)

    yield Case("code", "pickled weights, and an argument", without_weights(argument), "refused")

    def dense(folder: Path) -> None:
        _modules(
            lambda modules: modules.insert(
                2, {"idx": 2, "name": "2", "path": "2_Dense", "type": f"{_ST}Dense"}
            )
        )(folder)
        _write("2_Dense/config.json", b'{"in_features": 32, "out_features": 32}')(folder)
        _write("2_Dense/pytorch_model.bin", trap)(folder)

    yield Case("code", "pickled dense layer", dense, "refused")
    for kind in ("modeling_evil.Thing", "os.system", "subprocess.Popen", "modeling_evil"):

        def module(folder: Path, kind: str = kind) -> None:
            _write("modeling_evil.py", planted)(folder)
            _modules(lambda modules: modules[0].update(type=kind))(folder)

        yield Case("code", f"module {kind}", module, "refused")

    def auto_map(folder: Path) -> None:
        _write("modeling_evil.py", planted)(folder)
        _set("config.json", auto_map={"AutoModel": "modeling_evil.Thing"}, model_type="evil")(folder)

    yield Case("code", "auto_map", auto_map, "refused")
    template = "{% for x in range(10**9) %}{{ x }}{% endfor %}"
    yield Case("code", "template", _set("tokenizer_config.json", chat_template=template), "same")
    yield Case("code", "a module beside it", _write("json.py", planted), "same")


def _no_files() -> Iterator[Case]:
    for name in (
        "config.json",
        "modules.json",
        "tokenizer.json",
        "model.safetensors",
        "vocab.txt",
        "1_Pooling/config.json",
    ):
        yield Case("pipes", name, _instead(name, os.mkfifo), "refused")
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        yield Case(
            "pipes",
            f"{name} is a device",
            _instead(name, lambda path: path.symlink_to("/dev/zero")),
            "refused",
        )
        yield Case("folders", f"{name} is a folder", _instead(name, Path.mkdir), "refused")
        yield Case(
            "folders",
            f"{name} links to itself",
            _instead(name, lambda path: path.symlink_to(path.name)),
            "refused",
        )
    yield Case("folders", "links to itself", lambda folder: (folder / "loop").symlink_to("."), "same")
    yield Case("folders", "a name with a line end", _write("a\nb.txt", b"x"), "same")

    def sparse(path: Path) -> None:
        with path.open("wb") as file:
            file.truncate(2 << 30)

    for name in ("config.json", "tokenizer.json", "modules.json", "model.safetensors"):
        yield Case("sparse", f"{name} of 2 GB", _instead(name, sparse), "refused", bounded=True)


PART = Part("model_folders", _run)
