"""Short forms of `benchmarks/openai_api.py`: a paid API used to its limit, killed, and given one bad text."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import numpy as np
import pytest
from support.openai_faults import batch_limit, refuses_text
from support.openai_limits import MODELS as RATES
from support.openai_proofs import (
    CONCURRENCY,
    DIMENSIONS,
    Client,
    is_right,
    kills,
    mixed,
    one_bad,
    throughput,
    wait_for,
)
from support.openai_server import OpenAIServer, vectors


@pytest.mark.parametrize("exact", [True, False], ids=["exact", "bytes"])
@pytest.mark.parametrize("rates", RATES)
def test_the_limit_is_used_and_never_passed(rates: str, exact: bool, tmp_path: Path) -> None:
    done = throughput(tmp_path, mixed(4000), rates=rates, exact=exact, tokens_per_minute=100_000)

    assert done.violations == []
    assert done.is_right
    assert done.share >= 0.9
    assert done.minutes > 2
    assert done.charged_twice == 0


def test_what_a_kill_loses_was_under_way(tmp_path: Path) -> None:
    done = kills(tmp_path, [text[:80] for text in mixed(5000)], count=8)

    assert done.kills == 8
    assert done.charged_twice <= done.under_way
    assert done.is_same
    assert done.is_right


@pytest.mark.parametrize("exact", [True, False], ids=["exact", "bytes"])
@pytest.mark.parametrize("why", ["long", "refused"])
def test_one_bad_text_costs_one_text(why: str, exact: bool, tmp_path: Path) -> None:
    done = one_bad(tmp_path, [text[:300] for text in mixed(4999)], why=why, exact=exact, line=3500)

    assert done.run.code == 6
    assert done.is_right
    assert done.is_named
    assert done.extra <= 13
    # The bad text's line, and the sum.
    assert len(done.run.stderr.splitlines()) == 2


def test_ctrl_c_loses_no_more_than_what_is_under_way(tmp_path: Path) -> None:
    texts = [text[:80] for text in mixed(4000)]
    with OpenAIServer(clock=tmp_path / "time", delay_s=0.03) as server:
        server.always = batch_limit(100, 413, "batch size {count} > maximum allowed batch size {most}")
        client = Client(tmp_path / "client", texts, server, exact=False)
        with client.start() as process:
            wait_for(server, process, 12)
            process.send_signal(signal.SIGINT)
            stderr = process.communicate()[1].decode()
        assert process.returncode == 130
        assert "Traceback" not in stderr
        server.settle()
        paid = server.charges.total()
        under_way = sum(request.inputs for request in server.log[-CONCURRENCY:] if request.is_charged)
        run = client.run()
    assert paid >= 600
    assert is_right(run.vectors, texts)
    assert server.charges.total() - len(server.charges) <= under_way


def test_no_text_is_sent_twice_without_a_cache_either(tmp_path: Path) -> None:
    once = [text[:60] for text in mixed(9000)]
    texts = [*once, *once[::-1], *once]
    with OpenAIServer(clock=tmp_path / "time") as server:
        run = Client(tmp_path / "client", texts, server, exact=False).run("--no-cache")
    assert run.code == 0
    assert is_right(run.vectors, texts)
    assert set(server.charges.values()) == {1}
    assert not (tmp_path / "client" / "cache" / "vectors").exists()


BAD = {17, 2500, 4999}


def with_bad_ones() -> list[str]:
    return [f"bad {n}" if n in BAD else text[:60] for n, text in enumerate(mixed(5000))]


@pytest.mark.parametrize("policy", ["skip", "null", "fail"])
def test_failed_texts_are_told_once_each_also_the_second_time(policy: str, tmp_path: Path) -> None:
    texts = with_bad_ones()
    good = [text for n, text in enumerate(texts) if n not in BAD]
    with OpenAIServer(clock=tmp_path / "time") as server:
        server.always = refuses_text("bad ", 400)
        client = Client(tmp_path / "client", texts, server, exact=False)
        runs = [client.run("--on-error", policy) for _ in range(2)]
    for run in runs:
        lines = run.stderr.splitlines()
        named = [int(line.split(":")[2]) - 1 for line in lines if "texts.txt:" in line]
        if policy == "fail":
            assert (run.code, run.vectors, len(lines)) == (3, None, 1)
            assert set(named) < BAD
        else:
            assert (run.code, named, len(lines)) == (6, sorted(BAD), len(BAD) + 1)
            assert run.vectors is not None
            nulls = np.flatnonzero(np.isnan(run.vectors).any(axis=1)).tolist()
            assert nulls == (sorted(BAD) if policy == "null" else [])
            assert is_right(np.delete(run.vectors, nulls, axis=0), good)
    assert max(server.charges.values()) == 1


def test_a_failed_text_is_null_in_json(tmp_path: Path) -> None:
    texts = with_bad_ones()
    with OpenAIServer(clock=tmp_path / "time") as server:
        server.always = refuses_text("bad ", 400)
        client = Client(tmp_path / "client", texts, server, exact=False)
        run = client.run("--on-error", "null", "-o", "out.jsonl")
    items = [json.loads(line) for line in (client.folder / "out.jsonl").read_text("utf-8").splitlines()]
    assert run.code == 6
    assert [item["text"] for item in items] == texts
    assert {n for n, item in enumerate(items) if item["embedding"] is None} == BAD
    np.testing.assert_allclose(items[0]["embedding"], vectors(texts[:1], DIMENSIONS)[0], atol=2e-7)
