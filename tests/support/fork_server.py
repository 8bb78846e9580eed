"""`python -m simil` without the start: a process that has imported what a run imports makes each by a fork.

Most of what hundreds of short runs cost is Python's start and the same imports. `ForkServer` starts a process
that has done these, has one thread and has opened nothing. Its `client` is a program that takes the place of
`python -m simil`: it hands its arguments, open files, directory, environment, umask and ignored signals to
the server, which forks a child that goes on as `python -m simil` with them; the client ends as the child
does. The processes in which such a run measures models are forked likewise.

A run that a fork would not be faithful to is a real new process: one with other variables that Python, a
library or the imported modules read when they start, with a module on PYTHONPATH that hides an imported one,
or without one of the three streams.
"""

from __future__ import annotations

import atexit
import fcntl
import gc
import importlib
import io
import marshal
import os
import pkgutil
import runpy
import select
import shlex
import signal
import socket
import subprocess
import sys
import threading
import traceback
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

if __name__ != "__main__":
    from support.process_defaults import INITIAL_ENVIRONMENT

__all__ = ["import_all", "install_simil", "python_m_simil"]

# Variables that C code reads when Python, NumPy or ONNX Runtime start.
_C_PREFIXES = (
    b"PYTHON", b"LC_", b"LD_", b"OMP_", b"KMP_", b"OPENBLAS_", b"ORT_", b"MKL_", b"MALLOC_", b"GLIBC_",
    b"LANG", b"TZ", b"COLUMNS", b"LINES",
)  # fmt: skip
_CLIENT = Path(__file__).with_name("fork_client.py")
# What is given to Python before the arguments: of the command, and of the process of `simil eval`.
_COMMAND, _WORKER = (b"-m", b"simil"), (b"-P", b"-m", b"simil.cli.eval_worker")
# A system hands over no more at a time; their numbers are below it too.
_MOST_FILES = 250
# What runs of the command import; ONNX Runtime starts a thread when it is imported, and so is left out.
_IMPORTS = """
    email.message encodings.ascii encodings.idna html http.client importlib.metadata importlib.resources json
    sqlite3 ssl tomllib uuid
    anyio certifi dotenv filelock h11 httpcore httpx numpy numpy.lib.format onnx orjson pathspec platformdirs
    threadpoolctl tokenizers
    rich._emoji_codes rich.cells rich.console rich.markdown rich.markup rich.padding rich.panel rich.progress
    rich.table rich.text
    scipy.sparse scipy.spatial scipy.special scipy.stats
    sklearn.linear_model sklearn.metrics
    typer typer._adapters typer._click.decorators typer.rich_utils
"""


_starting = threading.Lock()


def python_m_simil(python: str = sys.executable) -> list[str]:
    """Return the command that runs simil: the client of a fork server that is started now.

    `python` is that of the environment which the command runs in. Where the system cannot hand over what a
    server needs, the command is `python -m simil`.
    """
    if not hasattr(os, "pidfd_open"):
        return [python, "-m", "simil"]
    with _starting:
        return _started(python)


def install_simil(folder: Path) -> None:
    """Put the command `simil` into `folder`, which is to stand in PATH."""
    script = folder / "simil"
    script.write_text(f'#!/bin/sh\nexec {shlex.join(python_m_simil())} "$@"\n', "utf-8")
    script.chmod(0o755)


@cache
def _started(python: str) -> list[str]:
    folder = TemporaryDirectory(prefix="simil-fork-")
    server = subprocess.Popen(
        [python, str(Path(__file__)), folder.name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd="/",
        env=INITIAL_ENVIRONMENT,
    )
    assert server.stdin is not None and server.stdout is not None
    assert server.stdout.readline() == b"ready\n", "the fork server did not start"

    def end() -> None:
        with server:
            server.stdin.close()  # type: ignore[union-attr]
        folder.cleanup()

    atexit.register(end)
    return _client(python, Path(folder.name), _COMMAND)


def _client(python: str, folder: Path, program: tuple[bytes, ...]) -> list[str]:
    """Return the command that runs a client; isolated and without `site`, a tenth of the usual start."""
    return [python, "-I", "-S", str(folder / f"{os.fsdecode(program[-1])}.py")]


def _serve(folder: Path) -> None:
    streams = [(stream.encoding, stream.errors) for stream in (sys.stdin, sys.stdout, sys.stderr)]
    before = dict(os.environb)
    read = {name: before.get(name) for name in sorted(import_all())}
    read |= {name: value for name, value in before.items() if name.startswith(_C_PREFIXES)}
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "a process with threads must not fork"
    modules = {name.partition(".")[0] for name in sys.modules} | {"sitecustomize", "usercustomize"}
    # Who measures sets this variable for itself, as the server did.
    reads = {_COMMAND: read, _WORKER: read | {b"OPENBLAS_NUM_THREADS": b"1"}}
    for program, values in reads.items():
        constants = (str(folder / "socket"), values, _C_PREFIXES, modules, _MOST_FILES, program)
        client = _CLIENT.read_text("utf-8").replace('"CONSTANTS"', repr(constants))
        Path(_client(sys.executable, folder, program)[-1]).write_text(client, "utf-8")
    _fork_workers(folder)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket"))
        listener.listen(64)
        os.write(1, b"ready\n")
        _Runs(listener, streams).serve()


def _fork_workers(folder: Path) -> None:
    """Let runs start the processes that measure models as they are started themselves."""
    module = importlib.import_module("simil.cli.eval_worker")
    real = module.worker_command

    def by_client(**flags: bool) -> list[str]:
        return [*_client(sys.executable, folder, _WORKER), *real(**flags)[1 + len(_WORKER) :]]

    module.worker_command = by_client  # type: ignore[attr-defined]


@dataclass(frozen=True)
class _Run:
    """A child that runs, and the connection to the client that waits for its end."""

    pid: int
    connection: socket.socket


class _Runs:
    """What the server waits for: new clients, ends of children and of clients, and the end of its stdin."""

    def __init__(self, listener: socket.socket, streams: list[tuple[str, str | None]]) -> None:
        self._listener, self._streams = listener, streams
        self._by_pidfd: dict[int, _Run] = {}
        self._by_client: dict[int, _Run] = {}
        self._poll = select.poll()
        for number in (0, listener.fileno()):
            self._poll.register(number, select.POLLIN)

    def serve(self) -> None:
        while True:
            for number, _ in self._poll.poll():
                if number == 0:
                    for run in self._by_pidfd.values():
                        os.kill(run.pid, signal.SIGKILL)
                    return
                if number == self._listener.fileno():
                    self._begin(self._listener.accept()[0])
                elif number in self._by_pidfd:
                    self._end(number)
                elif number in self._by_client:  # It was killed.
                    self._poll.unregister(number)
                    os.kill(self._by_client.pop(number).pid, signal.SIGKILL)

    def _begin(self, connection: socket.socket) -> None:
        request, given = _received(connection)
        if request is None:
            connection.close()
            return
        pid = os.fork()
        if not pid:
            _go_on(marshal.loads(request), given, self._streams)
        for number in given:
            os.close(number)
        pidfd, run = os.pidfd_open(pid), _Run(pid, connection)
        self._by_pidfd[pidfd] = self._by_client[connection.fileno()] = run
        with suppress(OSError):
            connection.send(pid.to_bytes(4, "little"))
        for number in (pidfd, connection.fileno()):
            self._poll.register(number, select.POLLIN)

    def _end(self, pidfd: int) -> None:
        run = self._by_pidfd.pop(pidfd)
        self._poll.unregister(pidfd)
        os.close(pidfd)
        status = os.waitpid(run.pid, 0)[1]
        if self._by_client.pop(run.connection.fileno(), None):
            self._poll.unregister(run.connection)
        with suppress(OSError):
            run.connection.send(status.to_bytes(4, "little"))
        run.connection.close()


def _received(connection: socket.socket) -> tuple[bytes | None, list[int]]:
    """Return what a client asks for and its open files; None where it went away meanwhile."""
    data, given, _, _ = socket.recv_fds(connection, 65536, _MOST_FILES)
    size = int.from_bytes(data[:4], "little") + 4
    while len(data) < size and (more := connection.recv(size - len(data))):
        data += more
    if len(data) >= 4 and len(data) == size:
        return data[4:], given
    for number in given:
        os.close(number)
    return None, []


def import_all() -> set[bytes]:
    """Import what runs need, and return the names of the variables that were read meanwhile."""
    read: set[bytes] = set()
    real = os._Environ.__getitem__

    def getitem(self: Any, name: Any) -> Any:
        if isinstance(name, str):
            read.add(os.fsencode(name))
        return real(self, name)

    # As simil does before it imports NumPy.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    os._Environ.__getitem__ = getitem  # type: ignore[assignment]
    import simil

    # scikit-learn imports both where they are installed, and pyarrow starts a thread.
    absent = dict.fromkeys(("pandas", "pyarrow"))
    sys.modules.update(absent)  # type: ignore[arg-type]
    for name in _IMPORTS.split():
        importlib.import_module(name)
    for found in pkgutil.walk_packages(simil.__path__, "simil."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    for name in absent:
        del sys.modules[name]
    os._Environ.__getitem__ = real  # type: ignore[method-assign]
    del os.environ["OPENBLAS_NUM_THREADS"]
    gc.collect()
    gc.freeze()  # A child that looked for garbage here would copy all of it.
    # HOME is read for where `pip install --user` puts packages, which nothing asks for.
    return read - {b"OPENBLAS_NUM_THREADS", b"HOME"}


def _go_on(request: Any, given: list[int], streams: list[tuple[str, str | None]]) -> NoReturn:
    """Go on as the program does once Python has started."""
    code = 1  # As Python ends where an interrupt comes before the first line of simil.
    try:
        program, arguments, folder, environment, umask, ignored, files = request
        _take_over(dict(zip(files, given, strict=True)))
        os.environ.clear()
        os.environ.update({os.fsdecode(name): os.fsdecode(value) for name, value in environment.items()})
        os.chdir(folder)
        os.umask(umask)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)
        _open_streams(streams)
        packages = [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]
        sys.path[0:1] = [*([] if b"-P" in program else [os.fsdecode(folder)]), *packages]
        sys.argv = ["-m", *map(os.fsdecode, arguments)]
        code = _run(os.fsdecode(program[-1]))
    finally:
        os._exit(code)


def _take_over(files: dict[int, int]) -> None:
    """Let the files of the client have the numbers that they have there, and close all others."""
    # First all go where none is in the way of another.
    moved = {number: fcntl.fcntl(each, fcntl.F_DUPFD, _MOST_FILES) for number, each in files.items()}
    os.closerange(0, _MOST_FILES)
    for number, each in moved.items():
        os.dup2(each, number)
    os.closerange(_MOST_FILES, 4096)


def _run(module: str) -> int:
    code = 0
    if not hasattr(sys.modules[module], "__path__"):
        del sys.modules[module]  # A module that is there already and runs once more is worth a warning.
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as exc:
        code = exc.code if isinstance(exc.code, int) else int(exc.code is not None)
    except BaseException:  # noqa: BLE001 (as Python ends)
        traceback.print_exc()
        code = 1
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return code


def _open_streams(streams: list[tuple[str, str | None]]) -> None:
    """Open the three streams as Python does when it starts."""
    for number, (name, (encoding, errors)) in enumerate(
        zip(("stdin", "stdout", "stderr"), streams, strict=True)
    ):
        raw = open(number, "wb" if number else "rb", closefd=False)  # noqa: SIM115 (open to the end)
        lines = number > 0 and (number == 2 or raw.isatty())
        stream = io.TextIOWrapper(raw, encoding, errors, "\n", line_buffering=lines)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
