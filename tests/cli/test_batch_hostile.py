"""Whatever befalls a job of the Batch API, nothing is paid for twice; it ends in vectors or in one line."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.batch_desk import BatchDesk
from support.openai_clock import SharedClock
from support.openai_faults import FAULTS, Fault, echo_key, raw, refuse, too_many
from support.openai_launcher import Launcher
from support.openai_secrets import shown_pieces
from support.openai_server import KEY, OpenAIServer

from simil.embedders.openai.batch_api.job_lock import JobLock

_TEXTS = [f"text {number}" for number in range(10)]
_OUTPUT = "GET /v1/files/file-output-1/content"
_LOOK = "GET /v1/batches/batch_0"


@pytest.fixture(scope="module")
def launcher() -> Iterator[Launcher]:
    with Launcher() as launcher:
        yield launcher


@pytest.fixture
def desk(tmp_path: Path, launcher: Launcher) -> Iterator[BatchDesk]:
    with SharedClock(tmp_path / "time"), OpenAIServer(clock=tmp_path / "time") as server:
        yield BatchDesk(tmp_path, server, launcher, _TEXTS)


def _json(document: Any) -> Fault:
    return raw(200, json.dumps(document).encode(), "application/json")


def _answers(*rows: Any) -> Fault:
    return raw(200, b"".join(json.dumps(row).encode() + b"\n" for row in rows), "application/octet-stream")


def _interrupt(desk: BatchDesk) -> None:
    """Let a job end after its batch was begun and looked at."""
    desk.server.misbehave_at(_LOOK, None, FAULTS["status_400"])
    assert desk.batch().code == 5


def test_texts_that_are_there_twice_are_asked_for_once(desk: BatchDesk) -> None:
    desk.write([*_TEXTS, "", "  ", *_TEXTS])

    done = desk.batch("--on-error", "skip")

    assert (done.code, done.error_line) == (0, "2 blank texts skipped (first: texts.txt:11)")
    assert [row["text"] for row in desk.rows()] == _TEXTS * 2
    assert desk.server.batch_charges == Counter(_TEXTS)


def test_a_cache_that_keeps_nothing_is_noticed_before_anything_is_paid_for(desk: BatchDesk) -> None:
    desk.folder.joinpath("cache").write_text("no folder", "utf-8")

    done = desk.batch()

    assert done.code == 2
    assert "kept in the cache, which cannot be written" in done.err
    assert not desk.server.count


def test_a_cache_that_breaks_off_costs_nothing(desk: BatchDesk) -> None:
    """What was computed stays at the server until it is kept."""
    _interrupt(desk)
    cache = desk.folder / "cache"
    cache.rename(desk.folder / "kept")
    cache.write_text("no folder", "utf-8")
    assert desk.simil("batch", "collect", "v.jsonl").code == 2
    cache.unlink()

    done = desk.batch()

    assert (done.code, len(desk.rows())) == (0, 10)
    assert desk.server.batch_charges == Counter(_TEXTS)


@pytest.mark.parametrize(
    "fault", [raw(200, b"{not json\n", "text/plain"), FAULTS["html_page"], _answers([1], "x", None)]
)
def test_a_damaged_file_of_answers_is_read_again_by_the_next_run(fault: Fault, desk: BatchDesk) -> None:
    desk.server.misbehave_at(_OUTPUT, fault)

    broken = desk.batch()

    assert broken.code == 5
    assert "a line that is no JSON object; run the same command again" in broken.error_line
    assert desk.batch().code == 0
    assert desk.server.batch_charges == Counter(_TEXTS)


@pytest.mark.parametrize(
    "row",
    [
        {"custom_id": "0-0", "response": {"body": {}}, "error": None},
        {"custom_id": "0-0", "response": {"status_code": 200, "body": None}, "error": None},
        {"custom_id": "0-0", "response": None, "error": "why"},
        {"custom_id": "0-0", "response": {"status_code": 200, "body": {"data": [{"embedding": []}]}}},
        {"custom_id": "another", "response": {"status_code": 200, "body": {}}},
        {},
    ],
)
def test_an_answer_of_another_form_is_none(row: Any, desk: BatchDesk) -> None:
    desk.server.misbehave_at(_OUTPUT, _answers(row))

    done = desk.batch()

    assert (done.code, done.err, len(desk.rows())) == (0, "", 10)
    assert len(desk.server.batches) == 2


@pytest.mark.parametrize(
    ("what", "fault", "said"),
    [
        ("GET /v1/files", _json({"data": 7}), "sent JSON that is no list of files"),
        ("POST /v1/files", _json({"id": None}), "sent JSON that describes no file"),
        ("POST /v1/batches", _json({"id": "batch_0"}), "sent JSON that describes no batch"),
        (_LOOK, _json({"id": "batch_0", "status": 7}), "sent JSON that describes no batch"),
        (_LOOK, FAULTS["status_404"], "does not have batches/batch_0 any more (404)"),
        ("POST /v1/files", echo_key(400), "refused the request (400)"),
        (
            "POST /v1/batches",
            refuse(400, "Billing hard limit has been reached", code="billing_hard_limit_reached"),
            "Billing hard limit has been reached",
        ),
    ],
)
def test_an_odd_answer_is_one_line_and_the_job_goes_on(
    what: str, fault: Fault, said: str, desk: BatchDesk
) -> None:
    desk.server.misbehave_at(what, fault)

    broken = desk.batch("--retries", "0")

    assert broken.code == 5
    assert said in broken.error_line
    assert shown_pieces(broken.out + broken.err, KEY) == []
    assert desk.batch().code == 0
    assert desk.server.batch_charges == Counter(_TEXTS)


def test_a_creation_that_must_wait_or_whose_answer_is_lost_is_one(desk: BatchDesk) -> None:
    desk.server.reconfigure(longest_page=1)
    began = desk.server.batches
    desk.server.misbehave_at("POST /v1/files", FAULTS["status_500"], FAULTS["hang_up_after"])
    desk.server.misbehave_at("POST /v1/batches", too_many(retry_after="3"), FAULTS["hang_up_after"])

    done = desk.batch()

    assert (began, done.code, done.err) == ([], 0, "")
    assert len(desk.server.batches) == desk.server.uploads.total() == 1


def test_a_batch_that_somebody_cancelled_is_begun_anew(desk: BatchDesk) -> None:
    desk.server.reconfigure(looks_of_batches=3)
    _interrupt(desk)
    with httpx.Client(headers={"Authorization": f"Bearer {KEY}"}, trust_env=False) as client:
        assert client.post(f"{desk.server.base_url}/batches/batch_0/cancel").status_code == 200

    assert desk.batch().code == 0
    assert desk.server.batch_charges == Counter(_TEXTS)
    assert [batch["status"] for batch in desk.server.batches] == ["cancelled", "completed"]


def test_an_input_that_changed_meanwhile_costs_what_is_new(desk: BatchDesk) -> None:
    _interrupt(desk)
    desk.write([*_TEXTS[:3], "new", *_TEXTS[5:]])

    assert desk.batch().code == 0
    assert [row["text"] for row in desk.rows()] == [*_TEXTS[:3], "new", *_TEXTS[5:]]
    assert desk.server.batch_charges == Counter([*_TEXTS, "new"])


def test_a_second_run_at_the_same_time_pays_for_nothing(desk: BatchDesk) -> None:
    _interrupt(desk)
    lock = JobLock(desk.state)
    lock.take()
    try:
        second = desk.batch()
        status = desk.simil("batch", "status", "v.jsonl")
    finally:
        lock.close()

    assert (second.code, status.code) == (2, 1)
    assert "v.jsonl.batch.json: another run goes on with this batch; wait until it ends" in second.error_line
    assert desk.batch().code == 0
    assert desk.server.batch_charges == Counter(_TEXTS)
    assert [path.name for path in desk.folder.glob("v.jsonl*")] == ["v.jsonl"]


@pytest.mark.parametrize(
    "change",
    [
        {"how": {}},
        {"name": "../x"},
        {"failures": []},
        {"most_tokens": "many"},
        {"sent": [{"number": "0", "tokens": 1}]},
        {"sent": [{"number": 0, "tokens": 1, "file": "../../v1/embeddings?x="}]},
        {"sent": [{"number": 0, "tokens": 1, "batch": 7}]},
        {"sent": [{"nothing": 0}]},
    ],
)
def test_a_state_of_another_hand_is_not_followed(change: Any, desk: BatchDesk) -> None:
    _interrupt(desk)
    desk.state.write_text(json.dumps({**json.loads(desk.state.read_text("utf-8")), **change}), "utf-8")
    desk.server.forget()

    for done in (desk.batch(), desk.simil("batch", "cancel", "v.jsonl")):
        assert done.code == 3
        assert "v.jsonl.batch.json: cannot be read as the state of a batch" in done.error_line
    assert not desk.server.count


def test_requests_fit_into_a_small_limit_of_tokens(desk: BatchDesk) -> None:
    desk.server.reconfigure(enqueued_tokens=7)

    assert desk.batch().code == 0
    assert desk.server.batch_charges == Counter(_TEXTS)


def test_a_text_that_no_batch_may_have_ends_the_job(desk: BatchDesk) -> None:
    desk.server.reconfigure(enqueued_tokens=1)

    done = desk.batch()

    assert done.code == 5
    assert "all batches may have 1; leave out --batch" in done.error_line
    assert not desk.server.batch_charges


def test_cancelling_begins_no_batch(desk: BatchDesk) -> None:
    desk.server.misbehave_at("POST /v1/batches", FAULTS["status_400"])
    assert desk.batch().code == 5

    cancelled = desk.simil("batch", "cancel", "v.jsonl")

    assert (cancelled.code, desk.state.exists()) == (0, False)
    assert not desk.server.batches


def test_a_batch_beyond_the_limit_of_tokens_is_not_begun_again_by_cancelling(desk: BatchDesk) -> None:
    desk.server.misbehave_at(_LOOK, FAULTS["status_400"])
    assert desk.batch().code == 5
    desk.server.reconfigure(enqueued_tokens=1)
    assert desk.simil("batch", "status", "v.jsonl").out.split("\t")[1] == "failed"

    cancelled = desk.simil("batch", "cancel", "v.jsonl")

    assert (cancelled.code, desk.state.exists()) == (0, False)
    assert [batch["status"] for batch in desk.server.batches] == ["failed"]


def test_what_failed_too_often_is_asked_for_again_by_the_next_run(desk: BatchDesk) -> None:
    desk.server.reconfigure(failing_lines=1.0)
    failed = desk.batch()
    desk.server.reconfigure(failing_lines=0.0)

    assert (failed.code, "after 3 tries" in failed.error_line) == (3, True)
    assert (desk.batch().code, len(desk.rows())) == (0, 10)
    assert desk.server.batch_charges == Counter(_TEXTS)


@pytest.mark.parametrize("name", ["v.jsonl", "v.npy", "v.parquet", "v.lance"])
def test_an_output_that_cannot_be_written_is_told_before_anything_is_paid_for(
    name: str, desk: BatchDesk
) -> None:
    desk.folder.joinpath(name).mkdir()
    desk.folder.joinpath(name, "other").touch()

    done = desk.simil("embed", "texts.txt", "--batch", "-o", name)

    assert (done.code, done.error_line.startswith(f"{name}: is a ")) == (2, True)
    assert not desk.server.count


def test_an_address_is_no_output(desk: BatchDesk) -> None:
    done = desk.simil("embed", "texts.txt", "--batch", "-o", "s3://bucket/v.parquet")

    assert (done.code, "s3://bucket/v.parquet: is an address" in done.error_line) == (2, True)
