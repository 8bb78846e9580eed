"""What is found where all is well, and where something real is broken."""

from __future__ import annotations

import base64
import json
import os
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from plugins.conftest import BROKEN, LETTERS, declare
from support.command import on_terminal, run, simil
from support.known import key_of, put

from doctor.conftest import Examine
from simil.config import load_settings
from simil.embedders.cache.store import VectorCache, cache_folder
from simil.tasks import doctor
from simil.tasks.doctor import Finding, Status, configuration_checks, diagnose
from simil.tasks.doctor.engine_checks import REFERENCE
from simil.tasks.doctor.findings import Check, CheckContext, ok


def test_a_sound_installation_is_well(examine: Examine) -> None:
    report = examine("--deep")

    assert report.result.code == 0
    assert report.failed == set()
    for engine in ("onnx", "openvino", "packed", "torch"):
        assert report.status(f"engine {engine}") == "ok"
    for package in ("numpy", "onnxruntime", "model2vec", "torch"):
        assert report.findings[package]["detail"] == version(package)
    assert report.status("minilm") == report.status("cache directory") == "ok"
    assert "cpu" in report.told("devices")
    assert report.told("hub").startswith("not asked: offline")
    assert report.told("API").startswith("not asked: offline")


def test_the_reference_is_the_vector_that_sentence_transformers_gives(minilm_original: Path) -> None:
    from sentence_transformers import SentenceTransformer

    reference = json.loads(REFERENCE.read_text("utf-8"))
    expected = SentenceTransformer(str(minilm_original), device="cpu").encode(reference["text"])
    shipped = np.frombuffer(base64.b64decode(reference["vector"]), "<f4")

    np.testing.assert_allclose(shipped, expected, atol=1e-6)


def test_another_vector_than_expected_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reference = json.loads(REFERENCE.read_text("utf-8"))
    other = tmp_path / "reference.json"
    other.write_text(json.dumps(reference | {"text": "Another text than the vector is of."}), "utf-8")
    monkeypatch.setattr("simil.tasks.doctor.engine_checks.REFERENCE", other)
    monkeypatch.chdir(tmp_path)

    found = {one.check: one for one in diagnose(offline=True)}

    for engine in ("engine onnx", "engine openvino"):
        assert found[engine].status is Status.FAIL
        assert "gives a different vector" in found[engine].detail


def test_altered_files_of_the_embedded_model_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from simil.models.files import model_source as source

    copied = Path(shutil.copytree(source.EMBEDDED, tmp_path / "minilm"))
    weights = copied / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    monkeypatch.setattr(source, "EMBEDDED", copied)
    monkeypatch.setenv("SIMIL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)

    found = {one.check: one for one in diagnose(offline=True)}

    for check in ("minilm", "engine onnx"):
        assert found[check].status is Status.FAIL
        assert "a file of the embedded model was altered" in found[check].detail
        assert found[check].hint == "reinstall simil-cli"


def test_a_check_that_breaks_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(context: CheckContext) -> Iterator[Finding]:
        yield ok("first", "this far")
        raise ZeroDivisionError("by nothing")

    checks = (Check("broken", breaks), Check("last", lambda context: [ok("last", "still looked at")]))
    monkeypatch.setattr(doctor, "CHECKS", checks)

    assert list(diagnose(offline=True)) == [
        Finding("first", Status.OK, "this far"),
        Finding("broken", Status.FAIL, "check failed: ZeroDivisionError: by nothing", "report this"),
        Finding("last", Status.OK, "still looked at"),
    ]


def test_nothing_is_set_and_nothing_is_there(tmp_path: Path) -> None:
    """No home, no variables, and a temporary directory that is the only place to write to."""
    result = run(
        [sys.executable, "-m", "simil", "doctor", "--offline"],
        cwd=tmp_path,
        environ={"TMPDIR": str(tmp_path), "HOME": str(tmp_path / "none")},
    )

    assert result.err == ""
    assert result.code == 0
    assert "fail\t" not in result.out
    assert str(tmp_path / "none") not in result.out
    assert "~/.config/simil/config.toml" in result.out


def test_a_missing_extra_is_a_note_and_a_missing_package_a_failure(tmp_path: Path) -> None:
    program = (
        "import importlib.metadata as metadata, sys\n"
        "found = metadata.version\n"
        "def version(name):\n"
        "    if name in ('model2vec', 'tokenizers', 'orjson'):\n"
        "        raise metadata.PackageNotFoundError(name)\n"
        "    return found(name)\n"
        "metadata.version = version\n"
        "from simil.__main__ import main\n"
        "main()\n"
    )
    result = run([sys.executable, "-c", program, "doctor", "--offline"], cwd=tmp_path)

    assert result.code == 1
    lines = result.out.splitlines()
    assert "note\tmodel2vec\tis not installed\trun: pip install 'simil-cli[static]'" in lines
    for needed in ("tokenizers", "orjson"):
        assert f"fail\t{needed}\tis not installed\trun: pip install {needed}" in lines


def test_a_cache_directory_that_cannot_be_written_warns(examine: Examine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder", "utf-8")
    for place in (tmp_path / "file" / "cache", Path("/proc/nowhere/cache")):
        report = examine(SIMIL_CACHE_DIR=str(place))

        assert report.result.code == 0
        assert report.status("cache directory") == "warn"
        assert "cannot be written" in report.told("cache directory")
        assert "SIMIL_CACHE_DIR" in report.told("cache directory")
        assert report.status("engine onnx") == "ok"
        assert report.status("engine openvino") == "warn"


def test_an_engine_that_the_settings_ask_for_has_to_work(examine: Examine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder", "utf-8")
    report = examine(SIMIL_CACHE_DIR=str(tmp_path / "file" / "cache"), SIMIL_ENGINE="openvino")

    assert report.result.code == 1
    assert report.failed == {"engine openvino"}


def test_a_damaged_config_file_is_named_and_the_rest_is_looked_at(examine: Examine, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("model = [\n", "utf-8")
    report = examine(SIMIL_CONFIG=str(config), offline=False)

    assert report.result.code == 1
    assert report.failed == {"config file"}
    assert report.told("config file").startswith(f"{config}: the config file cannot be read")
    assert report.status("engine onnx") == "ok"
    # What it says may have been "offline".
    assert report.told("hub").startswith("not asked")


def test_a_setting_that_makes_no_sense_fails(examine: Examine) -> None:
    report = examine(SIMIL_ENGINE="quantum")

    assert report.failed == {"settings"}
    assert report.told("settings").startswith(
        "engine cannot be 'quantum' (SIMIL_ENGINE from the environment)"
    )


@pytest.mark.parametrize(
    ("precision", "engine", "said"),
    [
        ("float16", "auto", "float16 needs a GPU"),
        ("float16", "onnx", "float16 is not supported by the onnx engine"),
        ("int8", "packed", "int8 is not supported by the packed engine"),
    ],
)
def test_settings_that_no_run_can_follow_fail(tmp_path: Path, precision: str, engine: str, said: str) -> None:
    settings = load_settings(
        environ={"SIMIL_PRECISION": precision, "SIMIL_ENGINE": engine}, directory=tmp_path
    )
    (finding,) = configuration_checks.settings(CheckContext(settings, None, {}, offline=True, deep=False))

    assert (finding.check, finding.status) == ("settings", Status.FAIL)
    assert finding.detail.startswith(said)


def test_settings_are_named_and_not_shown(examine: Examine, tmp_path: Path) -> None:
    (tmp_path / "here" / ".env").write_text("SIMIL_THREADS=2\nSTRANGE=value-of-it\nsk-alone\n", "utf-8")
    config = tmp_path / "config.toml"
    config.write_text('model = "minilm"\n', "utf-8")
    report = examine(SIMIL_CONFIG=str(config), SIMIL_OVERFLOW="chunk")

    assert "sets SIMIL_THREADS, and 1 that simil does not read" in report.told(".env")
    assert f"{config}: sets SIMIL_MODEL" in report.told("config file")
    assert "SIMIL_OVERFLOW" in report.told("environment")
    assert f"pinned by {config}" in report.told("model")
    for hidden in ("value-of-it", "STRANGE", "sk-alone"):
        assert hidden not in report.result.out


@pytest.mark.parametrize("damage", ["a few bits", "the first page", "not a database"])
def test_damage_to_the_vector_cache_is_found(damage: str, examine: Examine, tmp_path: Path) -> None:
    cache = VectorCache(cache_folder(tmp_path / "cache"), 10**9)
    put(cache, [key_of(number) for number in range(300)])
    cache.close()
    sound = examine(SIMIL_CACHE_DIR=str(tmp_path / "cache"))
    assert sound.status("vector cache") == "ok"
    assert "300 vectors" in sound.told("vector cache")
    assert "300 checked" in sound.told("vector cache")
    (path,) = cache_folder(tmp_path / "cache").glob("*.sqlite3")
    data = bytearray(path.read_bytes())
    if damage == "a few bits":
        value = data.index(_value_of(7))
        data[value + 10] ^= 4
    elif damage == "the first page":
        data[:2000] = bytes(2000)
    else:
        data = bytearray(b"hello" * 1000)
    path.write_bytes(data)

    report = examine(SIMIL_CACHE_DIR=str(tmp_path / "cache"))

    assert report.status("vector cache") == "warn"
    assert "damaged" in report.told("vector cache")
    assert "simil cache" in report.told("vector cache")
    assert path.read_bytes() == bytes(data), "a look does not change what is looked at"


def _value_of(number: int) -> bytes:
    from support.known import vectors_of

    return vectors_of([key_of(number)]).tobytes()


def test_a_model_that_is_not_known_fails_once(examine: Examine) -> None:
    report = examine("-m", "minilmm")

    assert report.result.code == 1
    assert report.failed == {"model"}
    assert "did you mean minilm?" in report.told("model")
    assert "pinned by a flag" in report.told("model")


def test_a_pinned_model_that_is_not_here_fails_offline(examine: Examine) -> None:
    report = examine("-m", "org/elsewhere")

    assert report.failed == {"model"}
    assert "it is not here, and simil is offline" in report.told("model")


def test_a_model_behind_an_api_needs_a_key(examine: Examine) -> None:
    assert examine("-m", "openai").failed == {"API key"}
    assert examine("-m", "openai", OPENAI_API_KEY="sk-something-1234").failed == set()
    assert examine("-m", "openai", OPENAI_BASE_URL="http://localhost:1/v1").failed == set()


def test_certificates_that_are_not_there_warn(examine: Examine, tmp_path: Path) -> None:
    report = examine(SSL_CERT_FILE=str(tmp_path / "none.pem"), HTTPS_PROXY="http://someone:secret@proxy:1")

    assert report.status("certificates") == "warn"
    assert "SSL_CERT_FILE" in report.told("certificates")
    assert report.told("proxy").startswith("set: HTTPS_PROXY")


def test_the_home_directory_is_not_shown(examine: Examine, tmp_path: Path) -> None:
    home = tmp_path / "home-of-someone"
    home.mkdir()
    report = examine(
        HOME=str(home), SIMIL_CACHE_DIR=str(home / "cache"), SIMIL_CONFIG=str(home / "config.toml")
    )

    assert report.failed == {"config file"}
    assert "~/config.toml" in report.told("config file")
    assert report.told("cache directory").startswith("~/cache")
    assert str(home) not in report.result.out


@pytest.mark.parametrize("columns", [40, 80])
def test_a_terminal_shows_each_line_whole(columns: int, tmp_path: Path) -> None:
    shown = on_terminal("simil doctor --offline -m nosuch", columns, cwd=tmp_path)

    assert shown.code == 1
    assert "\x1b[32mok" in shown.out
    assert "\x1b[1;31mfail" in shown.out
    plain = _without_colours(shown.out)
    assert max(map(len, plain.splitlines())) <= columns
    assert "1 fail" in plain.splitlines()[-1]
    uncoloured = on_terminal("NO_COLOR=1 simil doctor --offline", columns, cwd=tmp_path)
    assert "\x1b[32m" not in uncoloured.out


def _without_colours(text: str) -> str:
    import re

    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_a_pipe_gets_a_line_a_check(tmp_path: Path) -> None:
    result = simil("doctor", "--offline", cwd=tmp_path)
    lines = [line.split("\t") for line in result.out.splitlines()]

    assert {line[0] for line in lines} <= {"ok", "note", "warn", "fail"}
    assert all(3 <= len(line) <= 4 for line in lines)
    assert [line[1] for line in lines][:3] == ["simil", "python", "system"]
    assert "\x1b" not in result.out


def test_a_locale_without_all_letters_warns(examine: Examine) -> None:
    report = examine(PYTHONIOENCODING="ascii")

    assert report.status("encoding") == "warn"
    assert "PYTHONUTF8" in report.told("encoding")
    assert os.environ.get("PYTHONIOENCODING") is None


def test_plug_ins_are_listed_and_loaded_where_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare("letters", LETTERS, tmp_path)
    declare("broken", BROKEN, tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    checks = tuple(check for check in doctor.CHECKS if check.name == "plug-ins")
    monkeypatch.setattr(doctor, "CHECKS", checks)

    listed = {one.check: one.status for one in diagnose(offline=True)}
    loaded = {one.check: one.status for one in diagnose(offline=True, deep=True)}

    assert listed == {"plugin:broken": Status.OK, "plugin:letters": Status.OK}
    assert loaded == {"plugin:broken": Status.WARN, "plugin:letters": Status.OK}


def test_prepared_files_that_are_damaged_or_gone_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "CHECKS", [check for check in doctor.CHECKS if check.name == "prepared"])
    monkeypatch.setenv("SIMIL_CACHE_DIR", str(tmp_path))
    folder = Path(simil("models", "prepare", "minilm").out.rstrip("\n"))

    assert [(found.status, found.detail) for found in diagnose()] == [
        (Status.OK, "1 prepared graph, all files as built")
    ]
    with (folder / "weights.bin").open("r+b") as file:
        file.write(b"other")
    (damaged,) = diagnose()
    assert (damaged.status, damaged.hint) == (Status.WARN, f"delete {folder}: the next run makes it anew")
    shutil.rmtree(folder)
    (gone,) = diagnose()
    assert (gone.status, gone.hint) == (Status.WARN, "the next run mends it")
