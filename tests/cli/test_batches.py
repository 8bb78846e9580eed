"""`simil embed --batch` and `simil batch`: half the price, the same output, nothing paid for twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.batch_desk import BatchDesk
from support.command import Result
from support.openai_clock import SharedClock
from support.openai_faults import FAULTS
from support.openai_launcher import Launcher
from support.openai_rules import tables_of_tokens
from support.openai_server import KEY, OpenAIServer

_TEXTS = [f"text {number}" for number in range(40)]
_LONG = " ".join(["word"] * 9000)


@pytest.fixture(scope="module")
def launcher() -> Iterator[Launcher]:
    with Launcher() as launcher:
        yield launcher


class Desk(BatchDesk):
    """Whose jobs are compared with direct runs; no cached text is asked anew, which would be paid for."""

    def direct(self, *more: str) -> Result:
        """Write the output of a run without batches to `direct.jsonl`, with a cache of its own."""
        kept = {**self.env}
        self.env |= {"SIMIL_CACHE_DIR": str(self.folder / "other cache")}
        made = self.simil("embed", "texts.txt", "--dimensions", "8", "-o", "direct.jsonl", *more)
        self.env = kept
        self.server.forget()
        return made


@pytest.fixture
def desk(tmp_path: Path, launcher: Launcher) -> Iterator[Desk]:
    with SharedClock(tmp_path / "time"), OpenAIServer(clock=tmp_path / "time") as server:
        desk = Desk(tmp_path, server, launcher, _TEXTS)
        desk.env = {"SIMIL_TRUST_CACHE": "1"}
        yield desk


def test_the_output_is_that_of_a_direct_run(desk: Desk) -> None:
    assert desk.direct().code == 0
    direct = Counter(desk.server.charges)

    desk.env = {}

    done = desk.batch()

    assert (done.code, done.err) == (0, "")
    assert desk.folder.joinpath("v.jsonl").read_bytes() == desk.folder.joinpath("direct.jsonl").read_bytes()
    assert desk.server.batch_charges == Counter(_TEXTS)
    assert desk.server.charges == direct
    assert not desk.folder.joinpath("v.jsonl.batch.json").exists()
    # What is in the cache is not asked for again.
    desk.server.forget()
    desk.env = {"SIMIL_TRUST_CACHE": "1"}
    assert desk.batch().code == 0
    assert not any(request.method == "POST" for request in desk.server.log)


def _paid_once(server: OpenAIServer, texts: list[str]) -> bool:
    return server.batch_charges == Counter(texts) and not server.charges


def test_what_fails_or_expires_is_asked_for_again(desk: Desk) -> None:
    desk.direct()
    desk.server.reconfigure(failing_lines=0.5, expiring_batch=0, enqueued_tokens=10**6)
    before = Counter(desk.server.charges)

    # A request holds all texts, and a batch half of its requests: so cut them into requests of a text each.
    done = desk.batch("--batch-size", "1")

    assert done.code == 0, done.err
    assert desk.rows() == desk.rows("direct.jsonl")
    assert desk.server.batch_charges == Counter(_TEXTS)
    assert desk.server.charges == before
    assert len(desk.simil("batch", "list").out.splitlines()) > 1


@pytest.mark.parametrize("policy", ["fail", "skip", "null"])
def test_a_refused_text_costs_one_text(policy: str, desk: Desk) -> None:
    desk.server.reconfigure(refused_in_batches="text 7")

    done = desk.batch("--on-error", policy)

    assert done.code == (3 if policy == "fail" else 6)
    assert "texts.txt:8: " in done.err
    assert "this input is not to my liking" in done.err
    assert _paid_once(desk.server, [text for text in _TEXTS if text != "text 7"])
    if policy != "fail":
        assert len(desk.rows()) == 40 - (policy == "skip")


@pytest.mark.parametrize("overflow", ["chunk", "warn", "error"])
def test_long_texts_are_cut_as_in_a_direct_run(overflow: str, desk: Desk) -> None:
    long = "a " * 20_000  # The server, which counts four characters as a token, takes all the parts.
    desk.env |= {"SIMIL_TOKENIZER": "cl100k_base", "SIMIL_MAX_TOKENS": "8192"}
    desk.env["TIKTOKEN_CACHE_DIR"] = str(tables_of_tokens())
    desk.write(["one", long, "two"])
    how = ("--overflow", overflow, "--on-error", "skip")
    direct = desk.direct(*how)
    before = Counter(desk.server.charges)

    done = desk.batch(*how)

    assert (done.code, done.err) == (direct.code, direct.err)
    assert desk.rows() == desk.rows("direct.jsonl")
    assert desk.server.batch_charges == before
    assert desk.server.charges == before


def test_a_text_that_only_the_server_finds_too_long_is_sent_directly(desk: Desk) -> None:
    desk.write(["one", _LONG * 9, "two"])
    assert desk.direct().code == 0
    direct = Counter(desk.server.charges)

    assert desk.batch().code == 0

    assert desk.rows() == desk.rows("direct.jsonl")
    assert desk.server.batch_charges == Counter(["one", "two"])
    assert desk.server.charges == direct + direct - desk.server.batch_charges


@pytest.mark.parametrize("fault", ["cut_off", "reset", "hang_up"])
@pytest.mark.parametrize("place", range(6))
def test_nothing_is_uploaded_or_begun_twice(fault: str, place: int, desk: Desk) -> None:
    desk.server.misbehave(*[None] * place, FAULTS[fault])

    done = desk.batch()

    assert done.code == 0, done.err
    assert _paid_once(desk.server, _TEXTS)


@pytest.mark.parametrize("place", range(8))
def test_a_run_that_is_killed_goes_on(place: int, desk: Desk) -> None:
    """After each request that brought no answer: the run gives up, as if it had been killed there."""
    desk.server.misbehave(*[None] * place, FAULTS["cut_off"])
    broken = desk.batch("--retries", "0")
    assert broken.code == 5

    done = desk.batch()

    assert (done.code, len(desk.rows())) == (0, 40)
    assert _paid_once(desk.server, _TEXTS)


def test_a_limit_of_tokens_makes_batches_wait_or_smaller(desk: Desk) -> None:
    desk.server.reconfigure(enqueued_tokens=60)

    done = desk.batch("--batch-size", "5")

    assert done.code == 0, done.err
    assert _paid_once(desk.server, _TEXTS)


def test_a_job_is_looked_at_collected_and_cancelled(desk: Desk) -> None:
    desk.server.misbehave_at("GET /v1/batches/batch_0", FAULTS["hang_up"])
    assert desk.batch("--retries", "0").code == 5

    # A batch goes on by a step each time that it is looked at.
    status = desk.simil("batch", "status", "v.jsonl")
    assert (status.code, status.out.split("\t")[1]) == (1, "in_progress")
    assert desk.simil("batch", "collect", "v.jsonl").code == 1
    collected = desk.simil("batch", "collect", "v.jsonl")
    assert (collected.code, collected.out) == (0, "1 of 1 batch over; 40 vectors taken into the cache\n")
    listed = json.loads(desk.simil("batch", "list", "-f", "json").out)["data"]
    assert [(each["status"], each["requests"]) for each in listed] == [("completed", 1)]
    assert desk.batch().code == 0
    assert _paid_once(desk.server, _TEXTS)

    gone = desk.simil("batch", "status", "v.jsonl")
    assert (gone.code, "there is no batch for v.jsonl" in gone.error_line) == (2, True)


def test_a_cancelled_job_is_forgotten(desk: Desk) -> None:
    desk.server.misbehave_at("GET /v1/batches/batch_0", FAULTS["hang_up"])
    assert desk.batch("--retries", "0").code == 5
    other = desk.simil("embed", "texts.txt", "--dimensions", "9", "--batch", "-o", "v.jsonl")
    assert (other.code, "begun with dimensions 8, not 9" in other.error_line) == (2, True)

    cancelled = desk.simil("batch", "cancel", "v.jsonl")

    assert (cancelled.code, cancelled.out) == (0, "1 of 1 batch over; 0 vectors taken into the cache\n")
    assert not desk.server.batch_charges
    assert not desk.folder.joinpath("v.jsonl.batch.json").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["texts.txt", "--batch"], 2, "--batch needs -o FILE"),
        (["-", "--batch", "-o", "v.jsonl"], 2, "reads its input more than once"),
        (["texts.txt", "--batch", "-o", "v.jsonl", "--no-cache"], 2, "in the cache, which is off"),
        (["-t", "one", "--batch", "-o", "v.jsonl"], 2, "--text cannot be combined with --batch"),
        (["texts.txt", "--batch", "-o", "v.jsonl", "-m", "minilm"], 2, "has no batch API"),
        (["none.txt", "--batch", "-o", "v.jsonl"], 3, "no such file"),
    ],
)
def test_what_cannot_be(arguments: list[str], code: int, said: str, desk: Desk) -> None:
    done = desk.simil("embed", *arguments)

    assert (done.code, said in done.error_line) == (code, True), done.err
    assert not desk.server.count


def test_a_server_without_batches_says_so(desk: Desk) -> None:
    desk.server.reconfigure(has_batches=False)

    done = desk.batch()

    assert done.code == 5
    assert f"has no batches at {desk.server.base_url} (404)" in done.error_line
    assert KEY not in desk.folder.joinpath("v.jsonl.batch.json").read_text("utf-8")


def test_a_damaged_state_is_an_error(desk: Desk) -> None:
    desk.folder.joinpath("v.jsonl.batch.json").write_text("{", "utf-8")

    done = desk.batch()

    assert done.code == 3
    assert "v.jsonl.batch.json: cannot be read as the state of a batch" in done.error_line
