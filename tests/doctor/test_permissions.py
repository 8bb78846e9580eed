"""Who else may read what simil keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from simil.config import load_settings
from simil.tasks.doctor.findings import CheckContext
from simil.tasks.doctor.storage_checks import permissions


def test_what_others_may_read_is_reported_with_what_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, config = tmp_path / "cache", tmp_path / "config" / "simil"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(config.parent))
    settings = load_settings(environ={"SIMIL_CACHE_DIR": str(cache)}, directory=tmp_path)
    context = CheckContext(settings, None, {}, offline=True, deep=False)
    assert [finding.status for finding in permissions(context)] == ["ok"]

    (cache / "vectors").mkdir(parents=True)
    (cache / "vectors" / "v1-9.sqlite3").touch()
    (cache / "of others").touch()
    config.mkdir(parents=True)
    (config / "config.toml").touch()
    assert [finding.status for finding in permissions(context)] == ["warn", "warn"]

    (cache / "vectors").chmod(0o700)
    (left,) = permissions(context)
    assert left.detail == f"other users may read or write {config}/config.toml"
    assert left.hint == f"run: chmod -R go-rwx {config}"

    config.chmod(0o700)
    cache.chmod(0o777)
    (left,) = permissions(context)
    assert left.detail == f"other users may read or write {cache}"
