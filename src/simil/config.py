"""Settings: flag > environment > .env > config file > default.

`.env` is read from the current directory only, or from the file that `--env-file` names, and never
into the process's environment. A `.env` may come from a stranger: it cannot choose where simil keeps
its files, and a base URL in it is used only with a key from the same file.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from simil.errors import Place, UsageError

__all__ = [
    "OPENAI_BASE_URL",
    "VARIABLES",
    "Credentials",
    "SettingSource",
    "Settings",
    "calibrations_dir",
    "load_settings",
    "read_config_file",
    "read_dotenv",
]

log = logging.getLogger("simil")

OPENAI_BASE_URL = "https://api.openai.com/v1"

_CONFIG_KEYS = {
    "model": "SIMIL_MODEL",
    "engine": "SIMIL_ENGINE",
    "device": "SIMIL_DEVICE",
    "threads": "SIMIL_THREADS",
    "precision": "SIMIL_PRECISION",
    "overflow": "SIMIL_OVERFLOW",
    "cache": "SIMIL_CACHE",
    "cache_mb": "SIMIL_CACHE_MB",
    "offline": "SIMIL_OFFLINE",
    "concurrency": "SIMIL_CONCURRENCY",
    "retries": "SIMIL_RETRIES",
    "openai_base_url": "OPENAI_BASE_URL",
    "openai_api_key": "OPENAI_API_KEY",
    "openai_api_version": "OPENAI_API_VERSION",
}
# All variables that are settings, in the environment or in a `.env`.
VARIABLES = (*_CONFIG_KEYS.values(), "SIMIL_CACHE_DIR", "SIMIL_CONFIG")
_CHOICES = {
    "engine": ("auto", "onnx", "openvino", "torch"),
    "device": ("auto", "cpu", "cuda", "mps"),
    "precision": ("float32", "bfloat16", "int8"),
    "overflow": ("warn", "truncate", "error", "chunk"),
}
_CACHE_MB = 8000
_CONCURRENCY, _RETRIES = 4, 5
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")


@dataclass(frozen=True, slots=True)
class Credentials:
    """The base URL of an OpenAI-compatible API and its key (never shown); for Azure, also a version."""

    base_url: str
    api_key: str | None
    api_version: str | None = None

    def __repr__(self) -> str:
        return f"Credentials(api_key={'set' if self.api_key else 'not set'})"


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a run.

    `model` is None if none is pinned; `model_from` names where it is pinned. `threads` 0 means one per core.
    `cache` is whether vectors are cached, `cache_mb` the size of the cache in MB (10^6 bytes). `concurrency`
    is the number of requests in flight at a time, `retries` the number of retries of a request.
    """

    model: str | None
    engine: str
    precision: str
    device: str
    threads: int
    overflow: str
    offline: bool
    cache: bool
    cache_mb: int
    cache_dir: Path
    concurrency: int
    retries: int
    openai: Credentials
    model_from: str | None = None


@dataclass(frozen=True, slots=True)
class SettingSource:
    """A place that settings come from; `name` is its name in messages, for a file its path."""

    name: str
    values: Mapping[str, str]

    def get(self, key: str) -> str | None:
        value = self.values.get(key)
        return value if value and value.strip() else None

    @property
    def set_here(self) -> list[str]:
        """The known variables that are set here; never their values."""
        return [key for key in VARIABLES if self.get(key) is not None]


def load_settings(
    *,
    model: str | None = None,
    engine: str | None = None,
    device: str | None = None,
    precision: str | None = None,
    threads: int | None = None,
    overflow: str | None = None,
    offline: bool | None = None,
    cache: bool | None = None,
    base_url: str | None = None,
    concurrency: int | None = None,
    retries: int | None = None,
    env_file: Path | None = None,
    environ: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> Settings:
    """Return the settings of this run; arguments are flags, None if not given.

    Raises `UsageError` for an invalid value, naming where it is set.
    """
    environ = os.environ if environ is None else environ
    flags = {
        "SIMIL_MODEL": model,
        "SIMIL_ENGINE": engine,
        "SIMIL_DEVICE": device,
        "SIMIL_THREADS": None if threads is None else str(threads),
        "SIMIL_PRECISION": precision,
        "SIMIL_OVERFLOW": overflow,
        "SIMIL_OFFLINE": None if offline is None else str(int(offline)),
        "SIMIL_CACHE": None if cache is None else str(int(cache)),
        "SIMIL_CONCURRENCY": None if concurrency is None else str(concurrency),
        "SIMIL_RETRIES": None if retries is None else str(retries),
        "OPENAI_BASE_URL": base_url,
    }
    dotenv = read_dotenv(env_file, directory or Path())
    sources = (
        SettingSource("a flag", {key: value for key, value in flags.items() if value is not None}),
        SettingSource("the environment", environ),
        dotenv,
        read_config_file(environ),
    )
    pinned, pinned_by = _lookup(sources, "SIMIL_MODEL")
    return Settings(
        model=pinned,
        engine=_choice(sources, "engine"),
        precision=_choice(sources, "precision"),
        device=_choice(sources, "device"),
        threads=_count(sources, "threads", default=0, digits=4),
        overflow=_choice(sources, "overflow"),
        offline=_switch(sources, "offline", default=False) or _is_true(environ.get("HF_HUB_OFFLINE", "")),
        cache=_switch(sources, "cache", default=True),
        # A stranger's `.env` must not shrink the cache.
        cache_mb=_count((*sources[:2], sources[3]), "cache_mb", default=_CACHE_MB, digits=9),
        cache_dir=_cache_dir(environ),
        concurrency=max(_count(sources, "concurrency", default=_CONCURRENCY, digits=3), 1),
        retries=_count(sources, "retries", default=_RETRIES, digits=2),
        openai=_credentials(sources, dotenv),
        model_from=pinned_by.name if pinned_by else None,
    )


def _lookup(sources: tuple[SettingSource, ...], key: str) -> tuple[str | None, SettingSource | None]:
    for source in sources:
        value = source.get(key)
        if value is not None:
            return value.strip(), source
    return None, None


def _choice(sources: tuple[SettingSource, ...], name: str) -> str:
    value, source = _lookup(sources, _CONFIG_KEYS[name])
    if value is None or source is None:
        return _CHOICES[name][0]
    if value not in _CHOICES[name]:
        raise UsageError(
            f"{name} cannot be {value!r} ({_CONFIG_KEYS[name]} from {source.name})",
            hint=f"choose one of {', '.join(_CHOICES[name])}",
        )
    return value


def _count(sources: tuple[SettingSource, ...], name: str, *, default: int, digits: int) -> int:
    value, source = _lookup(sources, _CONFIG_KEYS[name])
    if value is None or source is None:
        return default
    if not value.isascii() or not value.isdigit() or len(value) > digits:
        raise UsageError(
            f"{name} must be a whole number of at most {digits} digits, not {value!r} ({source.name})"
        )
    return int(value)


def _switch(sources: tuple[SettingSource, ...], name: str, *, default: bool) -> bool:
    value, source = _lookup(sources, _CONFIG_KEYS[name])
    if value is None or source is None:
        return default
    if value.lower() not in _TRUE + _FALSE:
        raise UsageError(f"{name} must be 1 or 0, not {value!r} ({source.name})")
    return _is_true(value)


def _is_true(value: str) -> bool:
    return value.strip().lower() in _TRUE


def _credentials(sources: tuple[SettingSource, ...], dotenv: SettingSource) -> Credentials:
    """Pair URL and key: a URL from a `.env` must not get a key from anywhere else."""
    base_url, url_source = _lookup(sources, "OPENAI_BASE_URL")
    version, _ = _lookup(sources, "OPENAI_API_VERSION")
    if url_source is dotenv:
        return Credentials(base_url or OPENAI_BASE_URL, dotenv.get("OPENAI_API_KEY"), version)
    api_key, _ = _lookup(sources, "OPENAI_API_KEY")
    return Credentials(base_url or OPENAI_BASE_URL, api_key, version)


def read_dotenv(env_file: Path | None, directory: Path) -> SettingSource:
    """Return the settings of `env_file`, else of `.env` in `directory`; `UsageError` if unreadable."""
    path = env_file or directory / ".env"
    if not path.exists() or path.is_dir():
        if env_file is not None:
            raise UsageError("no such file", place=Place(str(env_file)), hint="check --env-file")
        return SettingSource(".env", {})
    try:
        text = path.read_text("utf-8") if path.is_file() else _text_of_pipe(path)
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"cannot be read: {exc}", place=Place(str(path))) from exc
    return SettingSource(str(path), _values_of(text, str(path)))


@cache
def _values_of(text: str, name: str) -> Mapping[str, str]:
    """Return the values in the text of a `.env`; lines of another form are named once."""
    from io import StringIO

    from dotenv.parser import parse_stream

    # No interpolation: `${OTHER}` would let a stranger's file copy the environment into a URL.
    lines = [*parse_stream(StringIO(text))]
    for line in lines:
        if line.error:
            log.warning("%s:%d: the line is not NAME=value, and is skipped", name, line.original.line)
    return {line.key: line.value for line in lines if line.key is not None and line.value is not None}


@cache
def _text_of_pipe(path: Path) -> str:
    # A pipe can be read once, and a run with several models asks for its settings several times.
    return path.read_text("utf-8")


def read_config_file(environ: Mapping[str, str]) -> SettingSource:
    """Return the settings of the config file, by variable; raises `UsageError` for a bad file."""
    named = environ.get("SIMIL_CONFIG")
    path = Path(named or _user_dir("config") / "config.toml")
    if not path.exists():
        if named:
            raise UsageError("no such file", place=Place(named), hint="check SIMIL_CONFIG")
        return SettingSource(str(path), {})
    import tomllib

    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise UsageError(f"the config file cannot be read: {exc}", place=Place(str(path))) from exc
    unknown = sorted(set(table) - set(_CONFIG_KEYS))
    if unknown:
        raise UsageError(
            f"the config file has an unknown key {unknown[0]!r}",
            place=Place(str(path)),
            hint=f"known: {', '.join(_CONFIG_KEYS)}",
        )
    for key, value in table.items():
        if not isinstance(value, str | int | float):
            raise UsageError(
                f"{key} must be a single value, not a {type(value).__name__}", place=Place(str(path))
            )
    values = {
        _CONFIG_KEYS[key]: str(int(value) if isinstance(value, bool) else value)
        for key, value in table.items()
    }
    return SettingSource(str(path), values)


def _cache_dir(environ: Mapping[str, str]) -> Path:
    given = environ.get("SIMIL_CACHE_DIR")
    return Path(given).expanduser() if given else _user_dir("cache")


def calibrations_dir() -> Path:
    """Return the folder of calibrations."""
    return _user_dir("config") / "calibrations"


def _user_dir(kind: str) -> Path:
    import platformdirs

    folder = platformdirs.user_cache_path if kind == "cache" else platformdirs.user_config_path
    return folder("simil", appauthor=False)
