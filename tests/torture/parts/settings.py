"""Settings from everywhere at once, hostile files of settings, servers that give back what they were told.

Every case plants a key for each place that has one, in a folder with a `.env`. The stranger's server and the
user's are on loopback, and nothing else can be reached. Who is asked, with which key, and what comes out
follows from a second account of the rules, `_Case.expected`.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from support.openai_faults import Fault, echo_key, redirect
from support.openai_rules import vector
from support.openai_server import OpenAIServer

from torture.attempts import LIMIT_S, Attempt, attempt, check, for_each
from torture.report import Part, Report, Task

__all__ = ["PART"]

# In the environment, in the config file, in the stranger's `.env`, after --env-file.
_KEYS = {
    "environment": "sk-of-the+environment/4d1f8a7720",
    "config": "sk-of-the+config/91b3c05d6e2a",
    "dotenv": "sk-of-the+dotenv/77e0f4b8d1c3",
}
_NOWHERE = "http://127.0.0.1:9"
_PAIR = ("Apple", "Orange")
_API = {"openai": 1536, "openai:text-embedding-3-large": 3072}
# Models by what becomes of them: as above, here, of the hub but not here, strangers', no models.
_HERE = {"minilm", "all-MiniLM-L6-v2"}
_KNOWN = {"bge-base", "BAAI/bge-small-en-v1.5"}
_FOREIGN = {"org/name", "local:org/name", "bge-base@refs/pr/1", "openai/x"}
_NO_MODEL = {
    "bge-bsae",
    "plugin:none",
    "./none",
    "~nouser/x",
    "~",
    ".",
    "\u202e",
    "a" * 5000,
    "/",
}
_MODELS = [*_API, *_API, *_HERE, *_KNOWN, *_FOREIGN, *_NO_MODEL]
_CONSENT = ("", "trust", "trust, then change", "--env-file")
_PLACES = ("flag", "environment", "dotenv", "config")
_VARIABLES = {"model": "SIMIL_MODEL", "url": "OPENAI_BASE_URL", "offline": "SIMIL_OFFLINE"}
_IN_CONFIG = {"model": "model", "url": "openai_base_url", "offline": "offline"}


def _settings(task: Task) -> None:
    reference = _score(attempt("compare", "-m", "minilm", *_PAIR, env=_environment(task.folder, {})))
    cases = [partial(_random_case, task, reference, number) for number in range(task.times(1000, 12))]
    hostile = [
        partial(_hostile_file, task, reference, number) for number in range(task.times(260, 1 + len(_FILES)))
    ]
    echoes = [partial(_echo, task, number) for number in range(task.times(240, len(_FAULTS)))]
    for_each([*cases, *hostile, *echoes], lambda case: case())


def _environment(folder: Path, own: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a run that reaches nothing but loopback, with a cache that all runs share."""
    empty = dict.fromkeys(("SIMIL_MODEL", "OPENAI_API_KEY", "OPENAI_BASE_URL", "SIMIL_OFFLINE"), "")
    reach = {
        "HF_ENDPOINT": _NOWHERE,
        "HTTPS_PROXY": _NOWHERE,
        "HTTP_PROXY": _NOWHERE,
        "NO_PROXY": "127.0.0.1",
    }
    return {**empty, **reach, "XDG_CONFIG_HOME": str(folder / "config"), "SIMIL_RETRIES": "0", **own}


@dataclass(frozen=True)
class _Case:
    """One choice of settings: for each setting its values by place; how the `.env` got consent, if it did."""

    values: Mapping[str, Mapping[str, str]]
    keys: frozenset[str]
    consent: str
    dry: bool

    @classmethod
    def of_stranger(cls, consent: str, stranger: str) -> _Case:
        """Return the case that consent is for: all from the `.env`, and the user has keys."""
        values = {"model": {"dotenv": "openai"}, "url": {"dotenv": stranger}, "offline": {}}
        return cls(values, frozenset(_KEYS), consent, dry=False)

    @classmethod
    def by(cls, random: random.Random, servers: Mapping[str, str]) -> _Case:
        """Choose a case; `servers` are the base URLs of the "stranger" and the "user"."""
        values: dict[str, dict[str, str]] = {setting: {} for setting in _VARIABLES}
        for place in _PLACES:
            if random.random() < (0.7 if place == "dotenv" else 0.3):
                values["model"][place] = random.choice(_MODELS)
            if random.random() < (0.8 if place == "dotenv" else 0.2):
                values["url"][place] = servers["stranger" if place == "dotenv" else "user"]
            if random.random() < 0.1:
                values["offline"][place] = "1" if place == "flag" else random.choice("10")
        keys = frozenset(place for place in _KEYS if random.random() < 0.6)
        consent = random.choice(["", "", *_CONSENT])
        return cls(values, keys, consent, dry=random.random() < 0.1)

    @property
    def has_consent(self) -> bool:
        return self.consent in ("trust", "--env-file")

    def place(self, setting: str) -> str | None:
        """Return the place that decides a setting."""
        return next((place for place in _PLACES if place in self.values[setting]), None)

    def value(self, setting: str) -> str | None:
        place = self.place(setting)
        return self.values[setting][place] if place else None

    def chosen_by_stranger(self, setting: str) -> bool:
        """Whether only a `.env` without consent makes a setting what it is."""
        own = {place: value for place, value in self.values[setting].items() if place != "dotenv"}
        return (
            self.place(setting) == "dotenv"
            and not self.has_consent
            and self.value(setting) != next((own[place] for place in _PLACES if place in own), None)
        )

    @property
    def is_offline(self) -> bool:
        if self.chosen_by_stranger("offline") and self.value("offline") == "0":
            return self.values["offline"].get("config") == "1"
        return self.value("offline") == "1"

    @property
    def asked(self) -> str | None:
        """The key with which a server is asked by a run with a model behind an API."""
        places = ["dotenv"] if self.place("url") == "dotenv" else ["environment", "dotenv", "config"]
        return next((_KEYS[place] for place in places if place in self.keys), None)

    def expected(self) -> tuple[set[int], str]:
        """Return the possible exit codes, and what answers: "minilm", a model of an API, or nothing."""
        model = self.value("model")
        if model is None or model in _HERE:
            return {0}, "minilm"
        if model in _NO_MODEL:
            # Where it comes from or that there is none, whichever is found first.
            return {2, 4}, ""
        if model not in _KNOWN and self.chosen_by_stranger("model"):
            return {2}, ""
        if self.is_offline:
            return {4}, ""
        return self._expected_of_server(model) if model in _API else ({4, 5}, "")

    def _expected_of_server(self, model: str) -> tuple[set[int], str]:
        if self.chosen_by_stranger("url"):
            return {2}, ""
        return ({0}, model) if self.value("url") else ({0, 5} if self.dry else {5}, "")


def _random_case(task: Task, reference: str, number: int) -> None:
    chance = random.Random(f"{task.seed} {number}")
    folder = task.folder / f"case-{number}"
    folder.mkdir()
    with OpenAIServer(key=None) as stranger, OpenAIServer(key=None) as user:
        if number < len(_CONSENT):
            case = _Case.of_stranger(_CONSENT[number], stranger.base_url)
        else:
            case = _Case.by(chance, {"stranger": stranger.base_url, "user": user.base_url})
        done = _run_case(case, chance, folder, number)
        heard = {"stranger": stranger.log, "user": user.log}
        reached = {"stranger": stranger.connections, "user": user.connections}
    task.report.count("settings")
    _check_case(task.report, case, done, reference, number, reached)
    server = "stranger" if case.place("url") == "dotenv" else "user"
    for name, requests in heard.items():
        allowed = {f"Bearer {case.asked}" if case.asked else None} if name == server else set()
        if {request.headers.get("authorization") for request in requests} - allowed:
            task.report.found("leaked", f"case {number}, another key at the {name}'s server: {case}: {done}")


def _run_case(case: _Case, chance: random.Random, folder: Path, number: int) -> Attempt:
    """Write the files of a case, give consent if it has any, and run the command."""
    texts = _texts(case, number)
    flags: list[str] = []
    for setting, option in (("model", "-m"), ("url", "--base-url")):
        if "flag" in case.values[setting]:
            flags += [option, case.values[setting]["flag"]]
    flags += ["--offline"] * ("flag" in case.values["offline"]) + ["--dry-run"] * case.dry
    flags += ["--env-file", ".env"] * (case.consent == "--env-file") + ["-v"] * (chance.random() < 0.3)
    own = {
        _VARIABLES[setting]: by["environment"] for setting, by in case.values.items() if "environment" in by
    }
    if "environment" in case.keys:
        own["OPENAI_API_KEY"] = _KEYS["environment"]
    env = _environment(folder, own)
    _write_config(case, folder / "config" / "simil" / "config.toml")
    content = _dotenv(case, chance)
    (folder / ".env").write_bytes(content)
    if case.consent.startswith("trust"):
        attempt("config", "trust", cwd=folder, env=env)
    if case.consent == "trust, then change":
        (folder / ".env").write_bytes(content + b"# changed\n")
    command = ("embed", "-t", texts[0]) if case.dry else ("compare", *texts)
    return attempt(*command, *flags, cwd=folder, env=env)


def _texts(case: _Case, number: int) -> tuple[str, str]:
    """Return the texts: for an API new ones, which no cache holds."""
    return (f"Apple {number}", "Orange") if case.expected()[1] in _API else _PAIR


def _write_config(case: _Case, path: Path) -> None:
    lines = [
        f'{_IN_CONFIG[setting]} = "{by["config"]}"' for setting, by in case.values.items() if "config" in by
    ]
    if "config" in case.keys:
        lines.append(f'openai_api_key = "{_KEYS["config"]}"')
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(lines), "utf-8")


def _dotenv(case: _Case, chance: random.Random) -> bytes:
    """Return the `.env` of a case, in one of the many ways in which the same can be written."""
    values = {_VARIABLES[setting]: by["dotenv"] for setting, by in case.values.items() if "dotenv" in by}
    if "dotenv" in case.keys:
        values["OPENAI_API_KEY"] = _KEYS["dotenv"]
    lines = [f"{name}={_NOWHERE}" for name in ("HTTP_PROXY", "ALL_PROXY", "HF_ENDPOINT", "HF_TOKEN")]
    for name, value in values.items():
        export, quote = chance.choice(["", "export "]), chance.choice(["", "'", '"'])
        if chance.random() < 0.2:
            lines.append(f"{name}=earlier value that does not count")
        lines.append(f"{export}{name}{chance.choice(['=', ' = '])}{quote}{value}{quote}")
    lines += chance.choices(["# a comment", "", "a line of no form", "UNKNOWN=\u20ac", "SIMIL_ENGINE"], k=2)
    text = chance.choice(["\n", "\r\n"]).join(lines) + "\n"
    return (chance.choice(["", "\ufeff"]) + text).encode()


def _check_case(
    report: Report, case: _Case, done: Attempt, reference: str, number: int, reached: Mapping[str, int]
) -> None:
    name = f"case {number}, {case}"
    answered = check(report, done, name, secrets=_KEYS.values())
    codes, model = case.expected()
    may_ask = model in _API and not case.dry
    server = "stranger" if case.place("url") == "dotenv" else "user"
    for each, connections in reached.items():
        if connections and not (may_ask and each == server):
            report.found("leaked", f"{name}: {connections} connections to the {each}'s server: {done}")
    if done.code not in codes:
        report.found("wrong", f"{name}: {done.code} is not one of {codes}: {done}")
    elif answered and not case.dry:
        texts = _texts(case, number)
        right = _similarity(texts, _API[model]) if model in _API else float(reference)
        if abs(float(_score(done)) - right) > 2e-6:
            report.found("wrong", f"{name}: not {right}: {done}, {done.out!r}")
        if may_ask and not reached[server]:
            report.found("wrong", f"{name}: answered, and nobody was asked: {done}")


def _score(done: Attempt) -> str:
    return done.out.decode().strip()


def _similarity(texts: tuple[str, str], dimensions: int) -> float:
    one, other = (vector(text, dimensions).astype(float) for text in texts)
    return float(one @ other / (one @ one * (other @ other)) ** 0.5)


_FILES: dict[str, bytes | Callable[[Path], None]] = {
    "nothing": b"",
    "zeros": bytes(4096),
    "utf-16": "SIMIL_MODEL=openai\n".encode("utf-16"),
    "latin-1": b"SIMIL_MODEL=\xe9\xff\n",
    "nul in a value": b"SIMIL_MODEL=mini\0lm\nSIMIL_CACHE_DIR=\0\n",
    "one long line": b"A" * 60_000,
    "blanks": b"A=x" + b" " * 60_000 + b"y",
    "many lines of no form": b"a b\n" * 15_000,
    "unclosed": b"A='\nB=\"" * 8_000,
    "100 kB": b"# A comment\n" * 9_000,
    "20 MB": b"A=1\n" * 5_000_000,
    "nested": b"threads = " + b"[" * 2000,
    "nested tables": b"threads = " + b"{a=" * 2000,
    "nested keys": b"[" + b"a." * 2000 + b"a]\n",
    "4301 digits": b"threads = " + b"9" * 4301,
    "hexadecimal": b"threads = 0x" + b"f" * 5000,
    "digits in a .env": b"SIMIL_THREADS=" + b"9" * 4301 + b"\nSIMIL_OFFLINE=" + b"1" * 4301,
    "twice": b"model = 'minilm'\nmodel = 'openai'\n",
    "a key of no setting": b"OPENAI_API_KEY_OLD = 'x'\n",
    "terminal": b"SIMIL_ENGINE='\x1b]0;owned\x07\x1b[2J'\nengine = \"\\u001b[2J\"\n",
    "a pipe": os.mkfifo,
    "a folder": Path.mkdir,
    "a circle": lambda path: path.symlink_to(path.name),
    "without end": lambda path: path.symlink_to("/dev/zero"),
    "the environment": lambda path: path.symlink_to("/proc/self/environ"),
    "nowhere": lambda path: path.symlink_to("/none"),
    "a file of others": lambda path: path.symlink_to("/etc/passwd"),
}
_COMMANDS = (
    ("compare", "-m", "minilm", *_PAIR),
    ("config", "trust"),
    ("compare", *_PAIR),
    ("cache", "info"),
    ("compare", "-v", "-m", "minilm", *_PAIR, "--env-file", ".env"),
    ("config", "list"),
    ("models",),
    ("doctor", "--offline"),
)


def _hostile_file(task: Task, reference: str, number: int) -> None:
    """Give a hostile `.env`, config file or both to a command: it refuses them, or gives the right score."""
    chance = random.Random(f"{task.seed} file {number}")
    folder = task.folder / f"file-{number}"
    (folder / "config" / "simil").mkdir(parents=True)
    names = list(_FILES)
    kind = names[number % len(names)]
    env = _environment(folder, {"OPENAI_API_KEY": _KEYS["environment"], "SIMIL_MODEL": "minilm"})
    paths = [folder / ".env", folder / "config" / "simil" / "config.toml"]
    if number == len(names):  # A cache that nobody can have.
        env["SIMIL_CACHE_DIR"] = chance.choice(
            ["~nouser/x", os.fsdecode(b"/tmp/\xff"), "/dev/null/x", "/proc"]
        )
        paths = []
    for path in paths if chance.random() < 0.2 else chance.sample(paths, min(len(paths), 1)):
        _make(path, _mutated(_FILES[kind], chance))
    # Not each with each: the dear ones come only where there are many.
    command = _COMMANDS[number // len(names) % len(_COMMANDS) if task.scale > 0.02 else number % 4]
    done = attempt(*command, cwd=folder, env=env)
    task.report.count("hostile inputs")
    name = f"file {number}, {kind} in {[path.name for path in paths]}"
    answered = check(task.report, done, name, secrets=_KEYS.values())
    if answered and command[0] == "compare" and _score(done) != reference:
        task.report.found("wrong", f"{name}: not {reference}: {done}, {done.out!r}")
    if len(done.err.splitlines()) > 3 and command[0] != "doctor":
        task.report.found("wrong", f"{name}: {len(done.err.splitlines())} lines on stderr: {done}")


def _make(path: Path, content: bytes | Callable[[Path], None]) -> None:
    if callable(content):
        content(path)
    else:
        path.write_bytes(content)


def _mutated(
    content: bytes | Callable[[Path], None], chance: random.Random
) -> bytes | Callable[[Path], None]:
    """Return a file with some bytes changed, now and then."""
    if callable(content) or not content or chance.random() < 0.5:
        return content
    changed = bytearray(content)
    for _ in range(chance.randrange(1, 20)):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


_FAULTS: tuple[Fault | None, ...] = (
    *(echo_key(status) for status in (400, 401, 307, 500, 200, 403, 404, 429)),
    echo_key(500, plain=True),
    None,
)
_ASKING: tuple[tuple[str, ...], ...] = (
    ("compare", "a", "b"),
    ("embed", "../texts.txt"),
    ("search", "a", "../texts.txt"),
    ("classify", "--label", "x", "--label", "y", "../texts.txt"),
    ("cluster", "../texts.txt"),
    ("outliers", "../texts.txt"),
    ("dedupe", "../texts.txt"),
    ("match", "../texts.txt", "../texts.txt"),
    ("models",),
    ("models", "show", "openai"),
    ("cache", "info"),
    ("config", "trust"),
    ("doctor",),
    ("eval", "--demo", "--resamples", "0"),
    ("doctor", "--deep"),
)


def _echo(task: Task, number: int) -> None:
    """Have a server repeat the key that it got, in every form, or pass it on: no command prints it."""
    fault, rounds = _FAULTS[number % len(_FAULTS)], number // len(_FAULTS)
    command = _ASKING[(number + rounds) % (len(_ASKING) if task.scale > 0.02 else 9)]
    place = [*_KEYS][number % len(_KEYS)]
    folder = task.folder / f"echo-{number}"
    folder.mkdir()
    with suppress(FileExistsError), (task.folder / "texts.txt").open("x") as file:
        file.writelines(f"text {line}\n" for line in range(8))
    with OpenAIServer(key=_KEYS[place]) as server, OpenAIServer(key=None) as elsewhere:
        server.always = redirect(f"{elsewhere.base_url}/embeddings") if fault is None else fault
        values = {"model": {place: "openai"}, "url": {place: server.base_url}}
        case = _Case({**values, "offline": {}}, frozenset({place}), "trust", dry=False)
        own: dict[str, str] = {}
        if place == "environment":
            own = {
                "SIMIL_MODEL": "openai",
                "OPENAI_BASE_URL": server.base_url,
                "OPENAI_API_KEY": _KEYS[place],
            }
        env = _environment(folder, own)
        _write_config(case, folder / "config" / "simil" / "config.toml")
        (folder / ".env").write_bytes(_dotenv(case, random.Random(number)))
        attempt("config", "trust", cwd=folder, env=env)
        verbose = ["-v"] * (command[0] not in ("models", "cache", "config", "doctor"))
        # Importing torch takes long where all processors are busy.
        limit_s = LIMIT_S * (10 if "--deep" in command else 1)
        done = attempt(*command, *verbose, cwd=folder, env=env, limit_s=limit_s)
        went_on = elsewhere.connections
    task.report.count("server faults")
    name = f"echo {number}, {fault}, the key from {place}"
    if check(task.report, done, name, secrets=_KEYS.values()) and verbose:
        task.report.found("wrong", f"{name}: answered: {done}")
    if went_on:
        task.report.found("leaked", f"{name}: {went_on} connections to where a redirect led: {done}")


PART = Part("settings", _settings)
