"""Who else may read what simil keeps."""

from __future__ import annotations

from pathlib import Path

from doctor.conftest import Examine


def test_what_others_may_read_is_reported_with_what_mends_it(examine: Examine, tmp_path: Path) -> None:
    cache, config = tmp_path / "cache", tmp_path / "config" / "simil"
    given = {"SIMIL_CACHE_DIR": str(cache), "XDG_CONFIG_HOME": str(config.parent)}
    (cache / "vectors").mkdir(parents=True)
    (cache / "vectors" / "v1-9.txt").touch()
    (cache / "of others").touch()
    config.mkdir(parents=True)
    (config / "config.toml").write_text("")
    report = examine(**given)

    assert report.status("permissions") == "warn"
    (cache / "vectors").chmod(0o700)
    report = examine(**given)
    assert report.told("permissions") == (
        f"other users may read or write {config}/config.toml | run: chmod -R go-rwx {config}"
    )
    config.chmod(0o700)
    assert examine(**given).status("permissions") == "ok"
    cache.chmod(0o777)
    assert f"write {cache} |" in examine(**given).told("permissions")
