"""`simil doctor`: checks of this installation.

A check is a name and a function that yields findings. If a check itself fails, the others still run.
Findings never contain secrets: see `redaction.py`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from simil.config import Settings, SettingSource, load_settings, read_config_file, read_dotenv
from simil.errors import SimilError, UsageError
from simil.foreign import interrupts, what_was_raised
from simil.tasks.doctor import cluster_checks as clusters
from simil.tasks.doctor import configuration_checks as configuration
from simil.tasks.doctor import engine_checks as engines
from simil.tasks.doctor import machine_checks as machine
from simil.tasks.doctor import model_checks as models
from simil.tasks.doctor import network_checks as network
from simil.tasks.doctor import package_checks as packages
from simil.tasks.doctor import storage_checks as storage
from simil.tasks.doctor.findings import Check, CheckContext, Finding, Status, fail
from simil.tasks.doctor.redaction import redactor

__all__ = ["Finding", "Status", "diagnose", "is_well"]

CHECKS = (
    Check("simil", machine.versions),
    Check("processor", machine.processor),
    Check("terminal", machine.terminal),
    Check("packages", packages.packages),
    Check("settings", configuration.settings),
    Check("environment", configuration.environment),
    Check("config file", configuration.config_file),
    Check(".env", configuration.dotenv),
    Check("cache directory", storage.directory),
    Check("permissions", storage.permissions),
    Check("disk", storage.disk),
    Check("vector cache", storage.vectors),
    Check("minilm", models.embedded),
    Check("model", models.chosen),
    Check("bge-base", models.default),
    Check("prepared", models.prepared),
    Check("plug-ins", models.plugins),
    Check("engine onnx", engines.onnx),
    Check("engine openvino", engines.openvino),
    Check("engine packed", engines.packed),
    Check("engine torch", engines.torch),
    Check("devices", engines.devices),
    Check("API key", configuration.api_key),
    Check("ray cluster", clusters.cluster),
    Check("proxy", network.proxy),
    Check("certificates", network.certificates),
    Check("hub", network.hub),
    Check("API", network.api),
)


def diagnose(
    *,
    model: str | None = None,
    base_url: str | None = None,
    offline: bool = False,
    deep: bool = False,
    env_file: Path | None = None,
) -> Iterator[Finding]:
    """Yield the findings of each check in turn, without secrets or the path of the home directory.

    `model` is the model that the command line names, `base_url` the server. `offline` opens no connection;
    `deep` also imports torch, loads plug-ins and sends the key and, for a model behind an API, a few texts to
    the API.
    """
    context = _context(model, base_url, offline=offline, deep=deep, env_file=env_file)
    redact = redactor(context)
    for check in CHECKS:
        for finding in _findings(check, context):
            yield replace(finding, detail=redact(finding.detail), hint=redact(finding.hint))


def is_well(finding: Finding) -> bool:
    """Return whether runs work despite the finding."""
    return finding.status is not Status.FAIL


def _findings(check: Check, context: CheckContext) -> Iterator[Finding]:
    try:
        yield from check.run(context)
    except SimilError as exc:
        yield fail(check.name, exc)
    except BaseException as exc:
        if interrupts(exc) or isinstance(exc, GeneratorExit):
            raise
        yield fail(check.name, f"check failed: {what_was_raised(exc)}", "report this")


def _context(
    model: str | None, base_url: str | None, *, offline: bool, deep: bool, env_file: Path | None
) -> CheckContext:
    settings, error = None, None
    try:
        settings = load_settings(model=model, base_url=base_url, offline=offline or None, env_file=env_file)
    except SimilError as exc:
        error = exc
    return CheckContext(
        settings=settings or _defaults(),
        error=error,
        sources={
            "command line": SettingSource("a flag", {"OPENAI_BASE_URL": base_url} if base_url else {}),
            "environment": SettingSource("the environment", os.environ),
            ".env": _read(lambda: read_dotenv(env_file, Path())),
            "config file": _read(lambda: read_config_file(os.environ)),
        },
        # Settings that cannot be read might say offline, so open no connection.
        offline=settings is None or bool(settings.offline),
        deep=deep,
    )


def _read(read: Callable[[], SettingSource]) -> SettingSource | SimilError:
    try:
        return read()
    except SimilError as exc:
        return exc


def _defaults() -> Settings:
    """Return the default settings, with the cache directory of the environment if it can be one."""
    nothing, environ = Path(os.devnull), {"SIMIL_CONFIG": os.devnull}
    kept = {name: value for name, value in os.environ.items() if name == "SIMIL_CACHE_DIR"}
    with suppress(UsageError):
        return load_settings(offline=True, environ=environ | kept, directory=nothing)
    return load_settings(offline=True, environ=environ, directory=nothing)
