"""Settings: flag > environment > .env > config file > default.

`.env` is read from the current directory only, or from the file that `--env-file` names, and never
into the process's environment. A `.env` may come from a stranger: it cannot choose where simil keeps
its files, and a base URL in it is used only with a key from the same file. What it chooses without
consent (see `consent.py`) is marked in `Settings`, for those who would send texts there.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from simil.consent import is_trusted
from simil.device import DEVICE_FORMS, Device
from simil.errors import Place, UsageError
from simil.frozen import Frozen
from simil.private_files import user_folder

__all__ = [
    "KEY_HINT",
    "OPENAI_BASE_URL",
    "VARIABLES",
    "Credentials",
    "SettingSource",
    "Settings",
    "calibrations_dir",
    "dotenv_of",
    "folder_of_caches",
    "hub_switch",
    "load_settings",
    "parse_dotenv",
    "read_config_file",
    "read_dotenv",
    "read_settings_file",
    "serve_key",
]

log = logging.getLogger("simil")

OPENAI_BASE_URL = "https://api.openai.com/v1"
KEY_HINT = "set OPENAI_API_KEY"

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
    "batch_size": "SIMIL_BATCH_SIZE",
    "timeout": "SIMIL_TIMEOUT",
    "tokenizer": "SIMIL_TOKENIZER",
    "max_tokens": "SIMIL_MAX_TOKENS",
    "trust_cache": "SIMIL_TRUST_CACHE",
    "openai_base_url": "OPENAI_BASE_URL",
    "openai_api_key": "OPENAI_API_KEY",
    "openai_api_version": "OPENAI_API_VERSION",
    "serve_api_key": "SIMIL_SERVE_API_KEY",
}
# All variables that are settings, in the environment or in a `.env`.
VARIABLES = (*_CONFIG_KEYS.values(), "SIMIL_CACHE_DIR", "SIMIL_CONFIG")
_CHOICES = {
    "engine": ("auto", "onnx", "openvino", "packed", "torch"),
    "precision": ("auto", "float32", "float16", "bfloat16", "int8"),
    "overflow": ("warn", "truncate", "error", "chunk"),
}
_CACHE_MB = 8000
_CONCURRENCY, _RETRIES = 4, 5
_TRUE, _FALSE = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")
# More is no file of settings, and may be without end.
_MAX_BYTES = 65_536
# python-dotenv takes time by the square of their number.
_MAX_BLANKS = 1000
_SECONDS = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")
_FLAG = "a flag"
# How much of a wrong value is shown.
_SHOWN = 60


class Credentials(Frozen):
    """The base URL of an OpenAI-compatible API and its key (never shown); for Azure, also a version.

    `url_unconsented` is the `.env` that chose the base URL without consent; None if the user chose it.
    `key_hint` says what to do where a key is missing.
    """

    base_url: str
    api_key: str | None
    api_version: str | None = None
    url_unconsented: str | None = None
    key_hint: str = KEY_HINT

    def __repr__(self) -> str:
        return f"Credentials(api_key={'set' if self.api_key else 'not set'})"


class Settings(Frozen):
    """The settings of a run.

    `model` is None if none is pinned; `model_from` names where it is pinned, and `model_unconsented` is the
    `.env` that pins it without consent. `engine`, `precision` and `device` may be "auto", which stands for
    what suits the model, the machine and the texts. `threads` 0 means one per core.
    `cache` is whether vectors are cached, `cache_mb` the size of the cache in MB (10^6 bytes). `concurrency`
    is the number of requests in flight at a time, `retries` the number of retries of a request, `batch_size`
    the number of texts in one (None: as many as the server's speed suggests), `timeout` the seconds that one
    may take (None: what suits it). `tokenizer` and `max_tokens` tell how a server's model counts tokens and
    how many it reads, where simil does not know. With `trust_cache` no cached text is asked anew to find out
    whether the server has the same model still.
    `expects_many` is whether the engine for many texts takes the first ones, too, so that all vectors are
    those of one engine. `offline` names what forbids all connections, `hub_offline` what forbids those to the
    hub (that, or a variable of the hub's library); empty where they are allowed. `server_flag` is a flag of
    this run that is about a server's model only. `gathers_writes` is whether
    new vectors are written to the cache about once a second, in place of after each batch.
    """

    model: str | None
    engine: str
    precision: str
    device: Device
    threads: int
    overflow: str
    offline: str
    hub_offline: str
    cache: bool
    cache_mb: int
    cache_dir: Path
    concurrency: int
    retries: int
    batch_size: int | None
    timeout: float | None
    tokenizer: str | None
    max_tokens: int | None
    trust_cache: bool
    openai: Credentials
    model_from: str | None = None
    model_unconsented: str | None = None
    expects_many: bool = False
    gathers_writes: bool = False
    server_flag: str | None = None


class SettingSource(Frozen):
    """A place that settings come from; `name` is its name in messages, for a file its path.

    `is_consented` is False for a folder's `.env` that the user has neither trusted nor named.
    """

    name: str
    values: Mapping[str, str]
    is_consented: bool = True

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
    batch_size: int | None = None,
    timeout: float | None = None,
    tokenizer: str | None = None,
    max_tokens: int | None = None,
    trust_cache: bool | None = None,
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
        "SIMIL_BATCH_SIZE": None if batch_size is None else str(batch_size),
        "SIMIL_TIMEOUT": None if timeout is None else str(timeout),
        "SIMIL_TOKENIZER": tokenizer,
        "SIMIL_MAX_TOKENS": None if max_tokens is None else str(max_tokens),
        "SIMIL_TRUST_CACHE": None if trust_cache is None else str(int(trust_cache)),
        "OPENAI_BASE_URL": base_url,
    }
    dotenv = read_dotenv(env_file, directory or Path())
    sources = (
        SettingSource(_FLAG, {key: value for key, value in flags.items() if value is not None}),
        SettingSource("the environment", environ),
        dotenv,
        read_config_file(environ),
    )
    consented = tuple(each for each in sources if each.is_consented)
    pinned, pinned_by = _lookup(sources, "SIMIL_MODEL")
    forbidden_by = _forbids_connections(sources)
    of_servers = {"--tokenizer": tokenizer, "--max-tokens": max_tokens}
    return Settings(
        model=pinned,
        engine=_choice(sources, "engine"),
        precision=_choice(sources, "precision"),
        device=_device(sources),
        threads=_count(sources, "threads", default=0, digits=4),
        overflow=_choice(sources, "overflow"),
        offline=forbidden_by,
        hub_offline=forbidden_by or hub_switch(environ),
        cache=_switch(sources, "cache", default=True),
        # A stranger's `.env` must not shrink the cache.
        cache_mb=_count((*sources[:2], sources[3]), "cache_mb", default=_CACHE_MB, digits=9),
        cache_dir=folder_of_caches(environ),
        concurrency=max(_count(sources, "concurrency", default=_CONCURRENCY, digits=3), 1),
        retries=_count(sources, "retries", default=_RETRIES, digits=2),
        batch_size=_count(sources, "batch_size", default=0, digits=6) or None,
        timeout=_seconds(sources, "timeout"),
        # A stranger's `.env` chooses no file to be read, and takes no check away.
        tokenizer=_lookup(consented, "SIMIL_TOKENIZER")[0],
        max_tokens=_count(sources, "max_tokens", default=0, digits=9) or None,
        trust_cache=_switch(consented, "trust_cache", default=False),
        openai=_credentials(sources, dotenv),
        model_from=pinned_by.name if pinned_by else None,
        model_unconsented=_unconsented(sources, "SIMIL_MODEL", None),
        server_flag=next((name for name, value in of_servers.items() if value is not None), None),
    )


def serve_key(env_file: Path | None = None) -> str | None:
    """Return the key that `simil serve` asks for, unless a flag names one; see `load_settings`."""
    sources = (
        SettingSource("the environment", os.environ),
        read_dotenv(env_file, Path()),
        read_config_file(os.environ),
    )
    return _lookup(sources, "SIMIL_SERVE_API_KEY")[0]


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
        raise _wrong_choice(name, value, source, _CHOICES[name])
    return value


def _device(sources: tuple[SettingSource, ...]) -> Device:
    value, source = _lookup(sources, "SIMIL_DEVICE")
    if value is None or source is None:
        return Device("auto")
    try:
        return Device.parse(value)
    except ValueError as exc:
        raise _wrong_choice("device", value, source, DEVICE_FORMS) from exc


def _wrong_choice(name: str, value: str, source: SettingSource, choices: Sequence[str]) -> UsageError:
    return UsageError(
        f"{name} cannot be {_shown(value)}{_set_by(source, f'{_CONFIG_KEYS[name]} from ')}",
        hint=f"choose one of {', '.join(choices)}",
    )


def _set_by(source: SettingSource, variable_from: str = "") -> str:
    """Return where a value stands, in parentheses; nothing for one that was just typed."""
    return "" if source.name == _FLAG else f" ({variable_from}{source.name})"


def _count(sources: tuple[SettingSource, ...], name: str, *, default: int, digits: int) -> int:
    value, source = _lookup(sources, _CONFIG_KEYS[name])
    if value is None or source is None:
        return default
    if not value.isascii() or not value.isdigit() or len(value) > digits:
        raise UsageError(
            f"{name} must be a whole number of at most {digits} digits, not {_shown(value)}{_set_by(source)}"
        )
    return int(value)


def _seconds(sources: tuple[SettingSource, ...], name: str) -> float | None:
    value, source = _lookup(sources, _CONFIG_KEYS[name])
    if value is None or source is None:
        return None
    if not _SECONDS.fullmatch(value) or not float(value):
        raise UsageError(f"{name} must be a number of seconds, not {_shown(value)}{_set_by(source)}")
    return float(value)


def _switch(sources: tuple[SettingSource, ...], name: str, *, default: bool) -> bool:
    value, source = _lookup(sources, _CONFIG_KEYS[name])
    if value is None or source is None:
        return default
    if value.lower() not in _TRUE + _FALSE:
        raise UsageError(f"{name} must be 1 or 0, not {_shown(value)}{_set_by(source)}")
    if not source.is_consented and _is_true(value) == default:
        # A folder may be stricter than its user about the network and about what is kept, not laxer.
        return _switch(tuple(each for each in sources if each.is_consented), name, default=default)
    return _is_true(value)


def _forbids_connections(sources: tuple[SettingSource, ...]) -> str:
    """Return the name of the flag or variable that forbids connections, empty if none does."""
    if not _switch(sources, "offline", default=False):
        return ""
    flag, environment, *_ = sources
    said_by = next(source for source in sources if _is_true(source.get("SIMIL_OFFLINE") or ""))
    if said_by is flag:
        return "--offline"
    return "SIMIL_OFFLINE" if said_by is environment else f"SIMIL_OFFLINE of {said_by.name}"


def hub_switch(environ: Mapping[str, str]) -> str:
    """Return the variable that forbids connections to the Hugging Face Hub, empty if none does.

    The rule is the library's: 1, on, yes and true count in upper or lower case, and any value of the
    first variable, even a false one, overrides the second.
    """
    set_here = (name for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE") if environ.get(name))
    name = next(set_here, "")
    return name if name and environ[name].lower() in _TRUE else ""


def _is_true(value: str) -> bool:
    return value.strip().lower() in _TRUE


def _shown(value: str) -> str:
    return repr(value if len(value) <= _SHOWN else f"{value[:_SHOWN]}…")


def _unconsented(sources: tuple[SettingSource, ...], key: str, default: str | None) -> str | None:
    """Return the `.env` that chooses `key` without consent, None if the user's own settings say the same."""
    value, source = _lookup(sources, key)
    if source is None or source.is_consented:
        return None
    own, _ = _lookup(tuple(each for each in sources if each.is_consented), key)
    return source.name if value != (own or default) else None


def _credentials(sources: tuple[SettingSource, ...], dotenv: SettingSource) -> Credentials:
    """Pair URL and key: a URL from a `.env` must not get a key from anywhere else."""
    base_url, url_source = _lookup(sources, "OPENAI_BASE_URL")
    version, _ = _lookup(sources, "OPENAI_API_VERSION")
    if url_source is dotenv:
        unconsented = _unconsented(sources, "OPENAI_BASE_URL", OPENAI_BASE_URL)
        api_key, hint = dotenv.get("OPENAI_API_KEY"), KEY_HINT
        elsewhere = next((source.name for source in sources if source.get("OPENAI_API_KEY")), None)
        if api_key is None and elsewhere is not None:
            hint = (
                f"the key of {elsewhere} is not sent to an address that {dotenv.name} names:"
                " set OPENAI_API_KEY there, too, or name the address yourself with --base-url"
            )
        return Credentials(base_url or OPENAI_BASE_URL, api_key, version, unconsented, hint)
    api_key, _ = _lookup(sources, "OPENAI_API_KEY")
    return Credentials(base_url or OPENAI_BASE_URL, api_key, version)


def dotenv_of(folder: Path) -> Path:
    """Return the `.env` of a folder; it need not exist."""
    return folder / ".env"


def read_dotenv(env_file: Path | None, directory: Path) -> SettingSource:
    """Return the settings of `env_file`, else of `.env` in `directory`; `UsageError` if unreadable."""
    path = env_file or dotenv_of(directory)
    if not _exists(path) or path.is_dir():
        if env_file is not None:
            raise UsageError("no such file", place=Place(str(env_file)), hint="check --env-file")
        return SettingSource(".env", {})
    if env_file is None:
        _check_regular(path, f"remove it, or pass --env-file {path}")
    content = _content(path)
    is_consented = env_file is not None or is_trusted(path, content)
    return SettingSource(str(path), parse_dotenv(content, str(path)), is_consented)


def read_settings_file(path: Path) -> bytes:
    """Return the content of a file of settings; raises `UsageError` if it cannot be one, or not be read."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as exc:
        raise UsageError(f"cannot be read: {exc.strerror or exc}", place=Place(str(path))) from exc
    if len(content) > _MAX_BYTES:
        raise UsageError(
            f"is larger than {_MAX_BYTES:,} bytes, so it is not a settings file", place=Place(str(path))
        )
    return content


def _check_regular(path: Path, hint: str) -> None:
    """Raise `UsageError` for a pipe that nobody has named: runs would wait for someone to write to it."""
    if not path.is_file():
        raise UsageError("is not a regular file", place=Place(str(path)), hint=hint)


def _content(path: Path) -> bytes:
    # A pipe can be read once, and a run with several models asks for its settings several times.
    return read_settings_file(path) if path.is_file() else _read_pipe(path)


_read_pipe = cache(read_settings_file)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as exc:  # A folder that may not be searched, a name that is too long.
        raise UsageError(f"cannot be read: {exc.strerror or exc}", place=Place(str(path))) from exc


@cache
def parse_dotenv(content: bytes, name: str) -> Mapping[str, str]:
    """Return the variables in a `.env` called `name`; lines of another form are noted once.

    Raises `UsageError` if it is not text in UTF-8.
    """
    from io import StringIO

    from dotenv.parser import parse_stream

    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise UsageError(f"cannot be read: {exc}", place=Place(name)) from exc
    if max(map(len, re.findall(r"[^\S\r\n]+", text)), default=0) > _MAX_BLANKS:
        raise UsageError(
            f"has over {_MAX_BLANKS:,} blanks in a row, so it is not a settings file", place=Place(name)
        )
    # No interpolation: `${OTHER}` would let a stranger's file copy the environment into a URL.
    lines = [*parse_stream(StringIO(text))]
    strange = [line.original.line for line in lines if line.error]
    if strange:
        more = f", and {len(strange) - 1:,} more like it" if len(strange) > 1 else ""
        log.warning("%s:%d: the line is not NAME=value, and is skipped%s", name, strange[0], more)
    return {line.key: line.value for line in lines if line.key is not None and line.value is not None}


def read_config_file(environ: Mapping[str, str]) -> SettingSource:
    """Return the settings of the config file, by variable; raises `UsageError` for a bad file."""
    named = environ.get("SIMIL_CONFIG")
    path = _expanded(named, "SIMIL_CONFIG") if named else user_folder("config") / "config.toml"
    if not _exists(path):
        if named:
            raise UsageError("no such file", place=Place(named), hint="check SIMIL_CONFIG")
        return SettingSource(str(path), {})
    if not named:
        _check_regular(path, "remove it, or name it in SIMIL_CONFIG")
    import tomllib

    try:
        table = tomllib.loads(_content(path).decode("utf-8-sig"))
        return SettingSource(str(path), _config_values(table, str(path)))
    except (ValueError, RecursionError) as exc:
        # Python's own words on these two say what a program could do.
        ours = {ValueError: "a number in it is too long", RecursionError: "it is nested too deeply"}
        why = ours.get(type(exc), exc)
        raise UsageError(f"the config file cannot be read: {why}", place=Place(str(path))) from exc


def _config_values(table: Mapping[str, object], name: str) -> Mapping[str, str]:
    """Return the values of the config file as variables would hold them."""
    unknown = sorted(set(table) - set(_CONFIG_KEYS))
    if unknown:
        raise UsageError(
            f"the config file has an unknown key {_shown(unknown[0])}",
            place=Place(name),
            hint=f"known: {', '.join(_CONFIG_KEYS)}",
        )
    for key, value in table.items():
        if not isinstance(value, str | int | float):
            raise UsageError(f"{key} must be a single value, not a {type(value).__name__}", place=Place(name))
    return {
        _CONFIG_KEYS[key]: str(int(value) if isinstance(value, bool) else value)
        for key, value in table.items()
    }


def folder_of_caches(environ: Mapping[str, str]) -> Path:
    """Return the folder of all caches, by SIMIL_CACHE_DIR or the rules of the system."""
    given = environ.get("SIMIL_CACHE_DIR")
    folder = _expanded(given, "SIMIL_CACHE_DIR") if given else user_folder("cache")
    try:
        str(folder).encode()
    except UnicodeEncodeError as exc:
        # The engines, which are written in C++, take names in UTF-8 only.
        raise UsageError(
            "the name of the cache directory is not UTF-8",
            hint="set SIMIL_CACHE_DIR to another",
            place=Place(str(folder)),
        ) from exc
    return folder


def _expanded(path: str, variable: str) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError as exc:
        raise UsageError(f"there is no home directory for {path} ({variable})", hint="correct it") from exc


def calibrations_dir() -> Path:
    """Return the folder of calibrations."""
    return user_folder("config") / "calibrations"
