"""`pytest --quick`: only the tests that start no process and load none of the large libraries.

Which these are follows from the code of each test, of its fixtures and of the helpers that they use: a test
is slow if one of these names a module that starts processes, such a library, or what simil needs it for. A
test that is taken for quick and starts a process or loads PyTorch all the same fails.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest

_TESTS = str(Path(__file__).resolve().parents[1])
_SLOW = {
    "subprocess", "pexpect", "multiprocessing", "import_module",
    "torch", "sentence_transformers", "openvino", "nncf", "int8", "bfloat16", "umap",
    "docstring_vectors",  # embeds thousands of texts
    "stdio_client", "S3Server", "TokenizingProcesses", "terminal_pictures",
}  # fmt: skip
_STARTS = {"subprocess.Popen", "os.posix_spawn", "os.fork", "os.forkpty", "os.system", "os.spawn"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="only tests that start no process")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--quick"):
        sys.addaudithook(_refuse_processes)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--quick"):
        slow = [item for item in items if is_slow(item)]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in set(slow)]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    _running.append(item.nodeid)
    try:
        return (yield)
    finally:
        _running.clear()


_running: list[str] = []


def _refuse_processes(event: str, arguments: Any) -> None:
    if arguments and arguments[0] == "lscpu":  # joblib looks at the machine, once
        return
    if _running and (event in _STARTS or (event == "import" and arguments[0] == "torch")):
        raise AssertionError(f"{_running[0]} is taken for a quick test, but there is {event}")


def is_slow(item: pytest.Item) -> bool:
    """Return whether a test, a parameter of it, its fixtures or their helpers name what is slow."""
    if not isinstance(item, pytest.Function):
        return True
    given = item.callspec.params.values() if hasattr(item, "callspec") else ()
    fixtures = [each.func for several in item._fixtureinfo.name2fixturedefs.values() for each in several]
    names = [*item.fixturenames, *(value for value in given if isinstance(value, str))]
    return not _SLOW.isdisjoint(names) or any(map(_names_slow, [item.function, *fixtures]))


_known: dict[int, bool] = {}


def _names_slow(value: Any) -> bool:
    value = inspect.unwrap(value) if callable(value) else value
    if hasattr(value, "hypothesis"):
        value = value.hypothesis.inner_test
    if id(value) not in _known:
        _known[id(value)] = False  # while it is looked at: it may name itself
        _known[id(value)] = _looked_at(value)
    return _known[id(value)]


def _looked_at(value: Any) -> bool:
    if isinstance(value, ModuleType):
        own = str(getattr(value, "__file__", None)).startswith(_TESTS)
        return value.__name__.partition(".")[0] in _SLOW or (
            own and any(map(_names_slow, vars(value).values()))
        )
    if isinstance(value, FunctionType) and value.__code__.co_filename.startswith(_TESTS):
        names = _names(value.__code__)
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        named = [value.__globals__[name] for name in names if name in value.__globals__]
        return not names.isdisjoint(_SLOW) or any(map(_names_slow, [*named, *cells]))
    if isinstance(value, type) and sys.modules[value.__module__].__dict__.get("__file__", "").startswith(
        _TESTS
    ):
        return any(map(_names_slow, [*value.__bases__, *vars(value).values()]))
    return False


def _names(code: CodeType) -> set[str]:
    names = {name.partition(".")[0] for name in code.co_names}
    names |= {value for value in code.co_consts if isinstance(value, str)}
    return names.union(*(_names(each) for each in code.co_consts if isinstance(each, CodeType)))
