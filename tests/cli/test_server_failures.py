"""What the command line makes of servers' failures: which text, which setting, and what is kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.command import Result, simil
from support.openai_faults import FAULTS, Fault, raw, refuse, spoils_text
from support.openai_server import KEY, OpenAIServer

Run = Callable[..., Result]
KEPT = "what was embedded is kept in the cache"


@pytest.fixture(scope="module")
def shared() -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        yield server


@pytest.fixture
def server(shared: OpenAIServer) -> Iterator[OpenAIServer]:
    shared.forget()
    yield shared
    shared.always = None


@pytest.fixture
def run(server: OpenAIServer, tmp_path: Path) -> Run:
    """Run simil in a folder with `in.txt`, of which the third line is bad, with an empty cache."""
    (tmp_path / "in.txt").write_text("one fine\ntwo fine\nthree bad\nfour fine\n", "utf-8")
    common = {"SIMIL_MODEL": "openai", "SIMIL_CACHE_DIR": str(tmp_path / "cache"), "NO_PROXY": "127.0.0.1"}
    common["SIMIL_TRUST_CACHE"] = "1"  # A text that is asked anew would count as a request.

    def run(*arguments: str, stdin: bytes = b"", **env: str) -> Result:
        given = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": KEY, **env}
        return simil(*arguments, stdin=stdin, cwd=tmp_path, env=common | given)

    return run


BAD = {
    "null": "returned a vector that is not a list of numbers",
    "nan": "returned a value that is not a finite number",
}


@pytest.mark.parametrize("change", BAD)
@pytest.mark.parametrize(
    ("policy", "code", "ids", "end"),
    [
        ("fail", 3, [], ""),
        ("skip", 6, ["1", "2", "4"], "1 text failed and was left out; see above"),
        ("null", 6, ["1", "2", "3", "4"], "1 text failed and is null; see above"),
    ],
)
def test_a_bad_vector_in_a_good_answer_is_that_texts_failure(
    change: str, policy: str, code: int, ids: list[str], end: str, server: OpenAIServer, run: Run
) -> None:
    server.always = spoils_text("bad", change)
    done = run("embed", "in.txt", "--on-error", policy, "-f", "jsonl", "--dimensions", "2")

    rows = [json.loads(line) for line in done.out.splitlines()]
    assert done.code == code
    assert [row["id"] for row in rows] == ids
    assert [row["id"] for row in rows if row["embedding"] is None] == (["3"] if policy == "null" else [])
    told = f"simil: in.txt:3: {server.host} {BAD[change]}"
    assert done.err.splitlines() == [told, *([f"simil: {end}"] if end else [])]
    assert server.count == 1


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (spoils_text("bad", "null"), f"{BAD['null']}; check the base URL and the server"),
        (spoils_text("bad", "nan"), f"{BAD['nan']}; check the base URL and the server"),
        (refuse(400, "not this"), 'refused the request (400): "not this"'),
    ],
    ids=["null", "nan", "400"],
)
def test_one_text_alone_is_named_though_it_may_be_the_servers_fault(
    fault: Fault, told: str, server: OpenAIServer, run: Run
) -> None:
    server.always = fault
    for given, place in (
        (("-t", "bad"), "--text:1"),
        (("-t", "bad", "-t", "bad"), "--text:1"),
        (("-",), "stdin:2"),
    ):
        done = run("embed", *given, "--dimensions", "2", stdin=b"\nbad\n")
        assert (done.code, done.out) == (5, "")
        assert done.error_lines[-1] == f"{place}: {server.host} {told}"


def test_a_fault_that_is_no_texts_names_none(server: OpenAIServer, run: Run) -> None:
    server.always = FAULTS["status_401"]
    assert run("embed", "-t", "bad").error_line.startswith(f"{server.host} rejected")


def test_offline_for_the_hub_is_not_offline_for_a_server(server: OpenAIServer, run: Run) -> None:
    for variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        assert run("compare", "Apple", variable, **{variable: "1"}).code == 0
    assert server.count == 2
    refused = run("compare", "Apple", "Pear", SIMIL_OFFLINE="1")
    flag = run("compare", "--offline", "Apple", "Pear")
    assert server.count == 2
    assert (refused.code, flag.code) == (4, 4)
    assert refused.error_line == (
        "text-embedding-3-small runs behind an API and simil is offline (SIMIL_OFFLINE); use a local model,"
        " or run without SIMIL_OFFLINE"
    )
    assert flag.error_line.endswith("is offline (--offline); use a local model, or run without --offline")


def test_a_cluster_is_refused_offline(run: Run) -> None:
    given = ("embed", "-m", "minilm", "--on", "ray://127.0.0.1:9", "in.txt", "-o", "vectors/")
    for more, env, name in ((["--offline"], {}, "--offline"), ([], {"SIMIL_OFFLINE": "1"}, "SIMIL_OFFLINE")):
        done = run(*given, *more, **env)
        assert done.code == 2
        assert name in done.error_line
        assert "offline" in done.error_line


def test_of_an_error_that_repeats_all_texts_the_reason_is_told(server: OpenAIServer, run: Run) -> None:
    """As FastAPI writes it, by pydantic: a list of details, each with the whole input."""
    texts = [f'text {number} says "msg": "no" {"x" * 280}' for number in range(1000)]
    detail = {
        "type": "too_long",
        "loc": ["body", "input"],
        "msg": "List should have at most 0 items",
        "input": texts,
        "ctx": {"field_type": "List", "max_length": 0},
    }
    body = json.dumps({"detail": [detail]}).encode()
    assert len(body) > 300_000
    server.always = raw(422, body, "application/json")
    done = run("embed", "-", "--dimensions", "2", stdin="\n".join(texts).encode())

    assert (done.code, done.out) == (5, "")
    assert done.error_line == (f'{server.host} refused the request (422): "List should have at most 0 items"')


def test_a_key_that_is_not_used_for_an_address_of_a_dotenv_is_explained(
    server: OpenAIServer, run: Run, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text(f"OPENAI_BASE_URL={server.base_url}\n", "utf-8")
    done = run("compare", "Apple", "Quince", "--env-file", ".env", OPENAI_BASE_URL="")

    assert (done.code, done.out) == (5, "")
    assert done.error_line == (
        f'{server.host} requires an API key (401): "Incorrect API key provided."; the key of the environment'
        " is not sent to an address that .env names: set OPENAI_API_KEY there, too, or name the address"
        " yourself with --base-url"
    )
    named = run("compare", "Apple", "Quince", "--base-url", server.base_url, OPENAI_BASE_URL="")
    assert named.code == 0
    assert ["authorization" in request.headers for request in server.log] == [False, True]


LINES = "".join(f"text {number}\n" for number in range(200)).encode()
EMBED = ("embed", "-", "--dimensions", "2", "--concurrency", "1")


@pytest.mark.parametrize("fault", ["status_401", "html_page"])
def test_what_is_kept_is_said_only_where_something_is(fault: str, server: OpenAIServer, run: Run) -> None:
    def failed(*arguments: str, **env: str) -> str:
        server.misbehave(None, FAULTS[fault])
        done = run(*arguments, "--retries", "0", stdin=LINES, **env)
        assert done.code == 5
        return done.error_lines[-1]

    # The cache holds nothing for other dimensions, so each run asks anew.
    assert failed(*EMBED, "--no-cache").endswith(KEPT) is False
    assert failed(*EMBED, SIMIL_CACHE="0").endswith(KEPT) is False
    assert failed(*EMBED, SIMIL_CACHE_MB="0").endswith(KEPT) is False
    assert failed(*EMBED).endswith(f"; {KEPT}")
    assert failed("search", "text 7", "-", "--dimensions", "3", "--concurrency", "1").endswith(f"; {KEPT}")


def test_where_nothing_was_embedded_nothing_is_said_to_be_kept(server: OpenAIServer, run: Run) -> None:
    server.always = refuse(429, "slow down", headers={"retry-after": "7200"})
    done = run(*EMBED, stdin=LINES)
    assert done.code == 5
    assert KEPT not in done.err
    assert "no-cache" not in done.err


def test_a_wait_of_hours_says_what_is_kept(server: OpenAIServer, run: Run) -> None:
    server.misbehave(None, refuse(429, "slow down", headers={"retry-after": "7200"}))
    done = run(*EMBED, stdin=LINES)
    assert done.code == 5
    assert done.error_lines[-1].endswith(f"; {KEPT}")
    kept = server.log[0].inputs
    server.forget()
    assert run(*EMBED, stdin=LINES).code == 0
    assert sum(request.inputs for request in server.log) == 200 - kept


def test_a_server_that_ends_says_what_is_kept(run: Run) -> None:
    with OpenAIServer() as ends:
        ends.misbehave(None, *[FAULTS["reset"]] * 9)
        done = run(*EMBED, "--retries", "0", stdin=LINES, OPENAI_BASE_URL=ends.base_url)
    assert done.code == 5
    assert done.error_lines[-1].endswith(f"; {KEPT}")
