"""What is known of a model behind an address: the catalog's facts at its maker's, else the user's."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command import simil
from support.openai_proxy import at_azure
from support.openai_server import KEY, OpenAIServer, vector
from tokenizers import Tokenizer

from simil.models.resolve import resolve
from simil.models.select import find_local

WIDTH, LIMIT = 8, 12
LONG = "unbelievably long words follow each other here, without an end, one after the other, on and on"


@pytest.fixture
def server(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OpenAIServer]:
    monkeypatch.setenv("SIMIL_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
    with OpenAIServer(models={"minilm": WIDTH, "text-embedding-3-small": WIDTH}) as running:
        monkeypatch.setenv("OPENAI_BASE_URL", running.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("SIMIL_MODEL", "openai:minilm")
        yield running


def asked(server: OpenAIServer) -> list[str]:
    return [text for request in server.requests for text in request.body["input"]]


def tokens(text: str) -> int:
    source = find_local(resolve("minilm"))
    assert source is not None
    tokenizer = Tokenizer.from_file(str(source.folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return len(tokenizer.encode(text).ids)


def test_name_that_the_catalog_knows_is_any_model_elsewhere(server: OpenAIServer) -> None:
    text = "apple " * 1000  # The model of that name on this machine reads 256 tokens.
    assert simil("embed", "-t", text, "-v").code == 0
    assert [sent.strip() for sent in asked(server)] == [text.strip()]
    dry = simil("embed", "-t", "apple", "-m", "openai", "--dry-run", "-f", "json", "--no-cache")
    found = json.loads(dry.out)
    assert (found["tokens"], found["is_exact"], found["requests"], found["cost"]) == (5, False, 1, None)
    assert "$" not in simil("embed", "-t", "quince", "-m", "openai", "-v").err


def test_facts_and_prices_hold_at_the_makers_own_address(server: OpenAIServer, tmp_path: Path) -> None:
    with OpenAIServer(azure="2024-10-21") as azure, at_azure(azure) as env:
        result = simil("embed", "-t", "apple", "-m", "openai", "-v", env=env)
        assert "$" in result.err
        run = ("embed", "-t", "fig", "-m", "openai", "--dry-run", "-o", "vectors.npy")
        dry = json.loads(simil(*run, "-f", "json", env=env, cwd=tmp_path).out)
        assert dry["is_openai"] and dry["cost"] is not None
        assert dry["batch_cost"] == dry["cost"] / 2
        assert simil(*run, "--batch", env=env, cwd=tmp_path).out.splitlines()[-1].startswith("with --batch\t")
        assert not tmp_path.joinpath("vectors.npy").exists()


@pytest.mark.parametrize("exact", [True, False])
def test_server_that_cuts_silently_is_never_sent_more_than_it_reads(
    server: OpenAIServer, exact: bool
) -> None:
    flags = ["--max-tokens", str(LIMIT), *(["--tokenizer", "minilm"] if exact else [])]
    refused = simil("embed", "-t", LONG, "--overflow", "error", *flags)
    assert (refused.code, server.count) == (3, 0)
    assert f"longer than the {LIMIT} tokens that minilm reads" in refused.error_line
    cut = simil("embed", "-t", LONG, *flags)
    assert "1 text is longer" in cut.error_line
    (sent,) = asked(server)
    assert LONG.startswith(sent)
    size = tokens(sent) if exact else len(sent)
    assert LIMIT - 3 <= size <= LIMIT
    server.forget()
    whole = simil("embed", "-t", LONG, "--overflow", "chunk", "-f", "jsonl", *flags)
    assert (whole.code, whole.err) == (0, "")
    parts = asked(server)
    assert "".join("".join(parts).split()) == "".join(LONG.split())
    assert all((tokens(part) if exact else len(part)) <= LIMIT for part in parts)


def test_short_texts_keep_their_vectors_whatever_is_said_of_long_ones(server: OpenAIServer) -> None:
    given = ["fig", LONG]
    flags = ["--trust-cache", "--tokenizer", "minilm", "--max-tokens"]
    simil("compare", *given, *flags, "24")
    simil("compare", *given, *flags, "25")
    simil("compare", *given, *flags, "25", "--overflow", "truncate")
    sent = asked(server)
    assert len(sent) == 3 and sent.count("fig") == 1
    # What only counts changes no vector.
    simil("compare", "fig", "plum", "--trust-cache")
    simil("compare", "fig", "plum", "--trust-cache", "--tokenizer", "minilm")
    assert asked(server)[3:] == ["plum"]


def test_dry_run_counts_by_the_tokenizer_and_says_what_is_a_bound(
    server: OpenAIServer, tmp_path: Path
) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("".join(f"line {number}\n" for number in range(100)))
    bounds = simil("embed", str(path), "--dry-run").out
    size = sum(len(f"line {number}") for number in range(100))
    assert f"tokens\tat most {size:,} (one a byte; --tokenizer would count them)\n" in bounds
    # Texts that are read together share requests.
    assert re.search(r"requests\tat least [1-3] \(the server's speed decides\)\ncost\tunknown\n", bounds)
    exact = simil("embed", str(path), "--dry-run", "--tokenizer", "minilm", "--batch-size", "30").out
    assert f"tokens\t{sum(tokens(f'line {number}') for number in range(100)):,} (exact)\n" in exact
    assert re.search(r"requests\tat least [4-6] ", exact)
    assert server.count == 0


def test_wrong_tokenizers_are_told_before_anything_is_sent(server: OpenAIServer) -> None:
    result = simil("embed", "-t", "apple", "--tokenizer", "nowhere")
    assert (result.code, server.count) == (2, 0)
    assert "--tokenizer" in result.error_line


def test_vector_is_that_of_what_was_sent(server: OpenAIServer) -> None:
    flags = ["--max-tokens", str(LIMIT), "--tokenizer", "minilm", "--overflow", "truncate"]
    result = simil("embed", "-t", LONG, "-f", "jsonl", *flags)
    (sent,) = asked(server)
    assert json.loads(result.out)["embedding"] == pytest.approx(vector(sent, WIDTH).tolist(), abs=1e-6)


@pytest.mark.parametrize("flag", [["--max-tokens", "10"], ["--tokenizer", "minilm"]])
def test_flags_of_servers_are_refused_for_a_model_of_this_machine(
    flag: list[str], server: OpenAIServer
) -> None:
    refused = simil("embed", "-t", LONG, "-m", "minilm", *flag)
    assert refused.code == 2
    assert f"{flag[0]} is for a model behind a server" in refused.error_line
    # What is set for all runs is for those that it suits.
    assert simil("embed", "-t", "apple", "-m", "minilm", env={"SIMIL_MAX_TOKENS": "10"}).code == 0
