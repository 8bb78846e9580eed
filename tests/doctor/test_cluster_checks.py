"""What `simil doctor` says of the cluster that `--on ray` would use."""

from __future__ import annotations

import pytest
from support.silent_server import silent_endpoint

from simil.tasks import doctor
from simil.tasks.doctor import Finding, cluster_checks, diagnose


def found(monkeypatch: pytest.MonkeyPatch, address: str, *, offline: bool = False) -> Finding:
    """What the check finds, with RAY_ADDRESS set to this."""
    checks = tuple(check for check in doctor.CHECKS if check.name == "ray cluster")
    monkeypatch.setattr(doctor, "CHECKS", checks)
    monkeypatch.setenv("RAY_ADDRESS", address)
    [finding] = diagnose(offline=offline)
    return finding


def test_without_an_address_ray_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for address in ("", "local"):
        finding = found(monkeypatch, address)
        assert (finding.status, finding.detail) == (
            "ok",
            "RAY_ADDRESS is not set: --on ray starts Ray on this machine",
        )
    assert found(monkeypatch, "127.0.0.1:1", offline=True).detail == "not asked: offline (--offline)"


@pytest.mark.parametrize(
    ("address", "detail"),
    [
        ("127.0.0.1:1", "127.0.0.1:1 does not answer: Connection refused"),
        ("127.0.0.1", "RAY_ADDRESS is not HOST:PORT"),
        ("127.0.0.1:99999", "RAY_ADDRESS is not HOST:PORT"),
    ],
)
def test_an_address_where_no_cluster_is(address: str, detail: str, monkeypatch: pytest.MonkeyPatch) -> None:
    finding = found(monkeypatch, address)

    assert (finding.status, finding.detail) == ("warn", detail)


def test_a_server_that_never_answers_does_not_hold_up_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_checks, "_START_SECONDS", 0.5)
    with silent_endpoint() as url:
        finding = found(monkeypatch, url.removeprefix("http://"))

    assert finding.status == "warn"
    assert finding.detail.endswith("what listens there is no Ray, or one of another version")
