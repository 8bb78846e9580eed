"""Each way to go wrong ends in one clear line, of the right kind, without a secret."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from support.openai_clock import IMPATIENT
from support.openai_faults import FAULTS, raw, redirect, refuse
from support.openai_secrets import shown_pieces
from support.openai_server import KEY, OpenAIServer, vectors

from simil.embedders.base import TextRejected
from simil.embedders.openai.client import OpenAIEmbedder
from simil.errors import (
    KeyRejected,
    ProviderError,
    QuotaSpent,
    RateLimited,
    RequestRejected,
    ServerFailed,
    Unreachable,
)

Make = Callable[..., OpenAIEmbedder]

TEXTS = ["Apple", "Orange"]
FINE = {
    "rows_out_of_order",
    "no_index",
    "base64_ignored",
    "base64_refused",
    "encoding_format_refused",
    "slow_but_right",
    "chunked",
    "gzip",
    "no_usage",
    "odd_usage",
}
BLAMED = {"status_400", "status_413", "status_422", "echo_key_400"}

MEANINGS: dict[str, tuple[type[ProviderError], str]] = {
    "reset": (Unreachable, "was lost"),
    "reset_at_once": (Unreachable, "was lost"),
    "damaged_gzip": (ServerFailed, "damaged answer"),
    "rows_too_many": (ServerFailed, "3 vectors for 2 texts"),
    "index_negative": (ServerFailed, "belongs to none of the texts"),
    "status_409": (RequestRejected, "(409)"),
    "status_504": (ServerFailed, "failed (504)"),
    "status_529": (ServerFailed, "failed (529)"),
    "cut_off": (ServerFailed, "broke off its answer"),
    "hang_up": (ServerFailed, "broke off its answer"),
    "hang_up_after": (ServerFailed, "broke off its answer"),
    "not_http": (ServerFailed, "does not speak HTTP"),
    "truncated_json": (ServerFailed, "not JSON"),
    "wrong_content_type": (ServerFailed, "not JSON"),
    "html_page": (ServerFailed, "not JSON (a web page)"),
    "html_error_page": (ServerFailed, "failed (502); try again later"),
    "empty_body": (ServerFailed, "not JSON"),
    "json_of_another_kind": (ServerFailed, "without a list of vectors"),
    "error_with_200": (ServerFailed, '"the model is asleep"'),
    "never_answer": (Unreachable, "did not answer within 2 s"),
    "drip": (Unreachable, "had not finished its answer after 300 s"),
    "endless": (ServerFailed, "far more than the requested vectors"),
    "rows_missing": (ServerFailed, "1 vectors for 2 texts"),
    "rows_empty": (ServerFailed, "0 vectors for 2 texts"),
    "rows_not_objects": (ServerFailed, "without a list of vectors"),
    "duplicate_index": (ServerFailed, "two vectors for text 1"),
    "index_out_of_range": (ServerFailed, "belongs to none of the texts"),
    "index_of_some": (ServerFailed, "belongs to none of the texts"),
    "wrong_dimension": (ServerFailed, "1534 dimensions where 1536 were expected"),
    "empty_embeddings": (ServerFailed, "a vector without numbers"),
    "float_too_large": (ServerFailed, "not a finite number"),
    "floats_as_strings": (ServerFailed, "not a list of numbers"),
    "status_400": (RequestRejected, 'refused the request (400): "this input is not to my liking"'),
    "status_401": (KeyRejected, 'rejected the API key in OPENAI_API_KEY (401): "Incorrect API key'),
    "status_403": (KeyRejected, 'denied access (403): "Country'),
    "status_404": (RequestRejected, "no model 'text-embedding-3-small'"),
    "status_408": (RequestRejected, "(408)"),
    "status_413": (RequestRejected, "maximum allowed batch size 1"),
    "status_422": (RequestRejected, "cannot be processed"),
    "status_429": (RateLimited, "limits the rate of requests (429): "),
    "quota": (QuotaSpent, "quota at"),
    "status_500": (ServerFailed, 'failed (500): "The server had an error"; try again later'),
    "status_502": (ServerFailed, "failed (502)"),
    "status_503": (ServerFailed, "failed (503)"),
    "redirect": (ServerFailed, "redirects to another address (307)"),
    "echo_key_200": (ServerFailed, "without a list of vectors"),
    "echo_key_307": (ServerFailed, "redirects"),
    "echo_key_400": (RequestRejected, "what came: ***"),
    "echo_key_401": (KeyRejected, "what came: ***"),
    "echo_key_403": (KeyRejected, "what came: ***"),
    "echo_key_404": (RequestRejected, "what came: ***"),
    "echo_key_429": (RateLimited, "what came: ***"),
    "echo_key_500": (ServerFailed, "what came: ***"),
    "echo_key_in_plain_text": (ServerFailed, "what came: ***"),
}


def provoke(fault: str, server: OpenAIServer, make: Make) -> ProviderError:
    server.always = FAULTS[fault]
    patience = {"timeout": IMPATIENT} if fault == "never_answer" else {}
    embedder = make(known_dimensions=1536, retries=0, **patience)
    with pytest.raises(ProviderError) as caught:
        embedder.embed_batch(TEXTS)
    return caught.value


@pytest.mark.parametrize("fault", MEANINGS)
def test_each_fault_is_one_clear_line_without_the_key(fault: str, server: OpenAIServer, make: Make) -> None:
    kind, words = MEANINGS[fault]
    caught = provoke(fault, server, make)
    line = str(caught)
    assert type(caught) is kind
    assert caught.exit_code == 5
    assert words in line
    assert server.host in line
    assert "\n" not in line
    assert len(line) < 400
    assert "<" not in line
    shown = f"{line} {caught.args} {vars(caught)}"
    assert shown_pieces(shown, KEY) == []
    assert "sk-pl" not in line
    # Each of the two texts is tried by itself where one of them may be to blame, and nothing else twice.
    assert len(server.requests) == (3 if fault in BLAMED else 1)


# With the place of the text that is at fault.
OF_ONE_TEXT = {
    "mixed_dimensions": (1, "returned 1534 dimensions where 1536 were expected"),
    "no_embedding": (0, "returned a vector that is not a list of numbers"),
    "damaged_base64": (0, "returned a vector that is not base64 of float32 numbers"),
    "nan": (0, "returned a value that is not a finite number"),
    "infinite": (0, "returned a value that is not a finite number"),
}


@pytest.mark.parametrize("fault", OF_ONE_TEXT)
def test_a_bad_vector_costs_one_text(fault: str, server: OpenAIServer, make: Make) -> None:
    server.always = FAULTS[fault]
    embedder = make(known_dimensions=1536)
    row, words = OF_ONE_TEXT[fault]
    refused: list[TextRejected] = []
    found = embedder.begin(TEXTS, normalize=False, on_rejected=refused.append)()

    assert [(exc.index, str(exc)) for exc in refused] == [(row, f"{server.host} {words}")]
    assert np.array_equal(found[1 - row], vectors(TEXTS, 1536)[1 - row])
    assert np.isnan(found[row]).all()
    assert len(server.requests) == 1


def test_every_fault_is_known_here() -> None:
    assert set(MEANINGS) | set(OF_ONE_TEXT) | FINE == set(FAULTS)


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"retry-after": "12"}, " (429) and asks to wait 12 s: "),
        ({"retry-after-ms": "1500", "retry-after": "2"}, " (429) and asks to wait 1.5 s: "),
        ({"retry-after": "nan"}, " (429): "),
        ({"retry-after": "-3"}, " (429): "),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, " (429) and asks to wait more than a day: "),
    ],
)
def test_the_wait_is_told(headers: dict[str, str], words: str, server: OpenAIServer, make: Make) -> None:
    server.misbehave(refuse(429, "Slow down", headers=headers))
    with pytest.raises(RateLimited) as caught:
        make(retries=0).embed_batch(TEXTS)
    assert words in str(caught.value)


def test_an_unknown_model_is_named(make: Make) -> None:
    with pytest.raises(RequestRejected, match="no model 'text-embedding-4'"):
        make(model="text-embedding-4").embed_batch(TEXTS)


def test_a_wrong_key_is_rejected_and_not_shown(make: Make) -> None:
    with pytest.raises(KeyRejected) as caught:
        make(api_key="sk-another-key-entirely").embed_batch(TEXTS)
    assert "another" not in str(caught.value)


def test_a_server_that_wants_a_key_says_so(make: Make) -> None:
    with pytest.raises(KeyRejected, match=r"requires an API key \(401\).*; set OPENAI_API_KEY"):
        make(api_key=None).embed_batch(TEXTS)


def test_the_key_does_not_follow_a_redirect(server: OpenAIServer, make: Make) -> None:
    with OpenAIServer() as other:
        server.misbehave(redirect(f"{other.base_url}/embeddings"))
        with pytest.raises(ServerFailed, match="redirects"):
            make().embed_batch(TEXTS)
    assert other.requests == []


def test_a_long_message_is_cut_after_it_was_scrubbed(server: OpenAIServer, make: Make) -> None:
    server.always = refuse(400, "x" * 190 + "\x1b[31m\n" + KEY + " tail" * 100)
    with pytest.raises(RequestRejected) as caught:
        make().embed_batch(TEXTS)
    line = str(caught.value)
    assert "***" in line
    assert line.endswith('…"')
    assert line.isprintable()
    assert len(line) < 300


def test_of_an_enormous_error_the_beginning_is_shown(server: OpenAIServer, make: Make) -> None:
    server.always = refuse(500, "x" * 1_000_000)
    with pytest.raises(ServerFailed, match=r"failed \(500\): \"x{200}…\"; try again later"):
        make(retries=0).embed_batch(TEXTS)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ('{"error": "model is loading", "error_type": "overloaded"}', "model is loading"),
        ('{"object": "error", "message": "no such thing", "code": 400}', "no such thing"),
        ('{"detail": "Not here"}', "Not here"),
        ('{"detail": [{"loc": ["body"], "msg": "Field required"}]}', "Field required"),
    ],
)
def test_messages_of_compatible_servers_are_found(
    document: str, words: str, server: OpenAIServer, make: Make
) -> None:
    server.always = raw(400, document.encode(), "application/json")
    with pytest.raises(RequestRejected, match=f'"{words}"'):
        make().embed_batch(TEXTS)
