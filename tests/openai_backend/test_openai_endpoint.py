"""Addresses, keys, and the network between."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from support.openai_clock import SharedClock
from support.openai_faults import FAULTS, refuse
from support.openai_server import KEY, OpenAIServer
from support.silent_server import silent_endpoint

from simil.embedders.openai.client import OpenAIEmbedder
from simil.embedders.openai.clock import Clock
from simil.embedders.openai.endpoint import Endpoint, Scrubber
from simil.embedders.openai.error_replies import refusal
from simil.embedders.openai.protocol import Reply
from simil.embedders.openai.retries import RequestFailed, retry_after
from simil.embedders.openai.transport import Timeout, Transport
from simil.errors import KeyMissing, KeyRejected, RequestRejected, ServerFailed, Unreachable, UsageError

Make = Callable[..., OpenAIEmbedder]


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Return a port of loopback that is taken, but where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "api.openai.com/v1",
        "localhost:11434/v1",
        "ftp://host/v1",
        "http://",
        "http:///v1",
        "http://host:99999/v1",
        "http://host:port/v1",
        "http://[::1/v1",
        "http://ho st/v1",
        "http://host\n.test/v1",
    ],
)
def test_what_is_not_an_address_is_a_usage_error(base_url: str, make: Make) -> None:
    with pytest.raises(UsageError, match=r"the base URL is not an http\(s\) address") as caught:
        make(base_url=base_url)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("base_url", ["http://a..b/v1", "http://xn--zz/v1", f"http://{'a' * 70}.test/v1"])
def test_hosts_that_cannot_be_are_told_in_one_line(base_url: str, make: Make) -> None:
    with pytest.raises((UsageError, Unreachable)) as caught:
        make(base_url=base_url).embed_batch(["a"])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("base_url", [KEY, f"http//user:{KEY}@host/v1", f"host/v1?key={KEY}"])
def test_a_wrong_address_does_not_show_its_secrets(base_url: str, make: Make) -> None:
    with pytest.raises(UsageError) as caught:
        make(base_url=base_url)
    assert KEY not in str(caught.value)


def test_openai_gets_no_key_unencrypted(make: Make) -> None:
    with pytest.raises(UsageError, match="unencrypted"):
        make(base_url="http://api.openai.com/v1")


@pytest.mark.parametrize("api_key", [None, "", "  "])
def test_openai_needs_a_key(api_key: str | None) -> None:
    embedder = OpenAIEmbedder(model="text-embedding-3-small", api_key=api_key)
    with pytest.raises(KeyMissing, match=r"api\.openai\.com needs an API key; set OPENAI_API_KEY"):
        embedder.embed_batch(["a"])


@pytest.mark.parametrize("api_key", ["sk-secret\nsecret", "sk-secret secret", "sk-secret-é-secret"])
def test_what_cannot_be_a_key_is_not_sent(api_key: str, server: OpenAIServer, make: Make) -> None:
    with pytest.raises(KeyRejected, match="copy it again") as caught:
        make(api_key=api_key).embed_batch(["a"])
    assert "secret" not in str(caught.value)
    assert server.requests == []


def test_a_line_break_behind_the_key_does_no_harm(server: OpenAIServer, make: Make) -> None:
    assert make(api_key=f"{KEY}\n").embed_batch(["a"]).shape == (1, 1536)


@pytest.mark.parametrize("model", ["", " ", "a\nb", "\udcff"])
def test_a_model_needs_a_name(model: str, make: Make) -> None:
    with pytest.raises(UsageError, match="is not a model name"):
        make(model=model)


def test_nothing_shows_the_key(make: Make) -> None:
    embedder = make()
    assert repr(embedder).startswith("OpenAIEmbedder('text-embedding-3-small' at 127.0.0.1:")
    assert KEY not in repr(embedder) + str(embedder) + repr(embedder._endpoint)


def test_a_password_in_the_address_is_used_and_never_shown(server: OpenAIServer, make: Make) -> None:
    login = "someone:pass%2Fword-of-hers"
    embedder = make(base_url=f"http://{login}@{server.host}/v1?sig=signature-of-hers")
    server.misbehave(refuse(400, "no: someone pass/word-of-hers pass%2Fword-of-hers signature-of-hers"))
    with pytest.raises(RequestRejected) as caught:
        embedder.embed_batch(["a"])
    with pytest.raises(KeyRejected, match="rejected the user name and password of the base URL"):
        embedder.embed_batch(["a"])
    sent = base64.b64encode(b"someone:pass/word-of-hers").decode()
    assert server.requests[0].headers["authorization"] == f"Basic {sent}"
    assert server.requests[0].path == "/v1/embeddings?sig=signature-of-hers"
    assert '"no: *** *** *** ***"' in str(caught.value)
    assert "hers" not in str(caught.value) + repr(embedder) + repr(embedder._endpoint)


@pytest.mark.parametrize(
    ("base_url", "wants_key"),
    [
        ("https://api.openai.com/v1", True),
        ("https://API.OpenAI.com./v1/", True),
        ("https://eu.api.openai.com/v1", True),
        ("https://someone.openai.azure.com/openai/v1", True),
        ("https://api.openai.com.elsewhere.test/v1", False),
        ("https://api.openai.com@elsewhere.test/v1", False),
        ("http://localhost:11434/v1", False),
    ],
)
def test_who_always_wants_a_key_is_known(base_url: str, wants_key: bool) -> None:
    assert Endpoint.under(base_url, None).wants_key is wants_key


def test_the_address_keeps_its_path_and_query() -> None:
    endpoint = Endpoint.under("https://h.test/a/b/?api-version=1#x", None)
    assert endpoint.url == "https://h.test/a/b/embeddings?api-version=1"
    assert endpoint.scrubber(None)("api-version 1") == "api-version 1"


@pytest.mark.parametrize("prefix", ["", "a", "ab", "abc", "Bearer "])
@pytest.mark.parametrize("secret", [KEY, "short-1", "ключ-секрет"])
def test_secrets_are_found_inside_base64(prefix: str, secret: str) -> None:
    raw = f"{prefix}{secret} and more".encode()
    for encoded in (base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()):
        scrubbed = Scrubber([secret])(f"x {encoded} y")
        assert "***" in scrubbed
        left = scrubbed.removeprefix("x ").removesuffix(" y").split("***")
        assert sum(map(len, left)) <= len(encoded) - len(secret)


@pytest.mark.parametrize("secret", ["sk-a/b+c=d/e.f,g;h", "sk-project-1", 'sk-a"b"c'])
def test_keys_are_hidden_whole(secret: str) -> None:
    assert Scrubber([secret])(f"({secret})") == "(***)"
    assert Scrubber([secret])(f"({secret.upper()})") == "(***)"


def test_a_key_that_the_server_has_masked_is_hidden_too() -> None:
    assert Scrubber([])("Incorrect API key: sk-proj-ab***wxyz.") == "Incorrect API key: ***"


def test_what_is_left_of_a_broken_key_is_hidden() -> None:
    secret = "sk-planted/key+of=tests-0123456789abcdef"
    assert Scrubber([secret])(f"{secret[:20]}\n{secret[20:]}, {secret[4:15].upper()}!") == "***\n***, ***!"
    assert Scrubber([secret])("0123456 of tests-0") == "0123456 of tests-0"


def test_scrubbing_leaves_other_words_alone() -> None:
    text = "the task-force said: sk is short, 100% of it"
    assert Scrubber([KEY, ""])(text) == text


def test_refused_connection(closed_port: int, make: Make) -> None:
    with pytest.raises(Unreachable, match=f"no connection to 127.0.0.1:{closed_port}: Connection refused"):
        make(base_url=f"http://127.0.0.1:{closed_port}/v1").embed_batch(["a"])


def test_unknown_host(make: Make) -> None:
    with pytest.raises(Unreachable, match=r"the host name nowhere\.invalid cannot be resolved"):
        make(base_url="http://nowhere.invalid/v1").embed_batch(["a"])


def test_https_at_a_server_of_http(server: OpenAIServer, make: Make) -> None:
    with pytest.raises(Unreachable, match=f"no secure connection to {server.host}: .*version"):
        make(base_url=server.base_url.replace("http:", "https:")).embed_batch(["a"])


def test_a_connection_that_is_never_accepted(make: Make) -> None:
    with socket.socket() as deaf, socket.socket() as first, socket.socket() as second:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for caller in (first, second):  # these fill the queue
            caller.setblocking(False)
            caller.connect_ex(deaf.getsockname())
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/v1"
        with pytest.raises(Unreachable, match=r"within 0\.2 s"):
            make(base_url=url, timeout=Timeout(connect=0.2, read=0.2), retries=0).embed_batch(["a"])


def test_answers_that_never_begin_are_given_up() -> None:
    with silent_endpoint(b"HTTP/1.1 100 Continue\r\n\r\n", 0.02) as url:
        endpoint, timeout = Endpoint.under(url, None), Timeout(total=0.3)
        transport = Transport(endpoint, None, connections=1, timeout=timeout, clock=Clock())
        with pytest.raises(RequestFailed) as caught:
            transport.post(b"{}", 1000)
    assert "had not finished its answer after 0.3 s" in caught.value.message
    assert caught.value.is_late


@pytest.mark.parametrize("place", ["javascript:x", "http://[::1", "http://a:99999999/", "\\\\x\\y"])
def test_a_redirect_to_nowhere_is_a_fault_of_the_server(place: str) -> None:
    answer = httpx.MockTransport(lambda request: httpx.Response(307, headers={"Location": place}))
    endpoint = Endpoint.under("http://x.test/v1", None)
    transport = Transport(
        endpoint, None, connections=1, timeout=Timeout(), clock=Clock(), httpx_transport=answer
    )
    try:
        assert transport.post(b"{}", 1000).status == 307
    except RequestFailed as failed:
        assert isinstance(failed.error, ServerFailed)


def test_a_proxy_of_the_environment_is_used(
    server: OpenAIServer, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://{server.host}")
    assert make(base_url="http://nowhere.invalid/v1").embed_batch(["a"]).shape == (1, 1536)
    assert server.requests[0].path == "http://nowhere.invalid/v1/embeddings"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("HTTPS_PROXY", "gopher://user:hunter2@host", "proxy settings cannot be used"),
        ("ALL_PROXY", "socks5://user:hunter2@host", "SOCKS proxy"),
        ("SSL_CERT_FILE", "/nowhere/at/all.pem", "certificates cannot be read"),
    ],
)
def test_an_unusable_environment_is_told(
    name: str, value: str, words: str, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=words) as caught:
        make().embed_batch(["a"])
    assert "hunter2" not in str(caught.value)


def test_a_file_of_certificates_that_holds_none(
    tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty.pem").write_text("")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "empty.pem"))
    with pytest.raises(UsageError, match="certificates cannot be read"):
        make().embed_batch(["a"])


def test_closing_twice_is_harmless(make: Make) -> None:
    embedder = make()
    embedder.embed_batch(["a"])
    embedder.close()
    embedder.close()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "86401"}, 86401.0),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "1500", "retry-after": "7"}, 1.5),
        ({"retry-after-ms": "inf", "retry-after": "7"}, 7.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:01:40 GMT"}, 60.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:01 GMT"}, None),
        ({"retry-after": "0"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e3"}, None),
        ({"retry-after": "٣"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({}, None),
    ],
)
def test_the_wait_that_a_server_asks_for(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, 40.0) == seconds


def test_a_reply_knows_its_media_type() -> None:
    assert Reply(200, {"content-type": "Text/JSON; charset=utf-8"}, b"").media_type == "text/json"
    assert Reply(200, {}, b"").media_type == ""


def test_the_total_deadline_goes_by_the_clock(server: OpenAIServer, make: Make, clock: SharedClock) -> None:
    server.misbehave(FAULTS["drip"])
    began = clock.now()
    with pytest.raises(Unreachable, match="after 300 s"):
        make().embed_batch(["a"])
    assert 300 <= clock.now() - began < 310


@pytest.mark.parametrize("end", ["", "/", "/embeddings", "/embeddings/"])
def test_the_address_of_embeddings_is_a_base_url_too(end: str) -> None:
    assert Endpoint.under(f"https://h.test/v1{end}?a=b", None).url == "https://h.test/v1/embeddings?a=b"


def test_an_address_is_shown_without_its_secrets() -> None:
    endpoint = Endpoint.under("https://me:open-sesame@h.test/k/a1b2c3d4e5f6g7/v1?token=hidden-one", None)

    assert endpoint.address == "https://h.test/k/***/v1/embeddings"


@pytest.mark.parametrize("key", ["u", "x", "auth", "one"])
def test_a_short_secret_is_hidden_alone_not_in_words(key: str) -> None:
    words = "unauthorized: an extra phone"

    assert Scrubber([key])(f"{words}; {key}") == f"{words}; ***"


def test_a_part_of_a_secret_is_no_reason_to_cut_a_word() -> None:
    scrub = Scrubber(["my-authorizations-9"])

    assert scrub("unauthorized: Authorization") == "unauthorized: ***"
    assert scrub("key authorizations-9x and my-authorization") == "key ***x and ***"


def _refused(status: int, body: bytes, media_type: str = "application/json", **where: str) -> RequestFailed:
    endpoint = Endpoint.under("https://h.test/v1/embeddings/", None, **where)
    return refusal(
        Reply(status, {"content-type": media_type}, body),
        count=2,
        endpoint=endpoint,
        model="openai:m",
        credential="",
        scrub=endpoint.scrubber(None),
        date=0.0,
    )


def test_what_was_not_found_is_shown() -> None:
    assert "https://h.test/v1/embeddings was asked" in str(_refused(404, b"{}").final_error(1))


@pytest.mark.parametrize(
    "document",
    [
        {"detail": [{"type": "value_error", "loc": ["body"], "msg": "at most 1 text", "input": ["a"] * 99}]},
        {"error": {"message": "at most 1 text", "input": '{"message": "another"}' * 20}},
        {"input": '{"message": "another"}', "detail": "at most 1 text", "more": ["a"] * 99},
        {"error": "at most 1 text", "more": ["a"] * 99},
    ],
)
def test_the_reason_is_read_out_of_an_error_that_was_cut_off(document: object) -> None:
    failed = _refused(422, json.dumps(document).encode()[:200])

    assert str(failed.final_error(1)).endswith('refused the request (422): "at most 1 text"')
    assert failed.blame is not None
    assert failed.blame.is_size


def test_a_missing_key_says_why_the_one_there_is_not_used() -> None:
    assert str(_refused(401, b"{}", key_hint="not sent").final_error(1)).endswith("; not sent")


@pytest.mark.parametrize(
    ("base_url", "known"),
    [
        ("https://api.openai.com/v1", True),
        ("https://API.OpenAI.com.:443/v1", True),
        ("https://eu.api.openai.com/v1", True),
        ("https://me.openai.azure.com/openai/v1", True),
        ("https://me.services.ai.azure.com/openai/v1", True),
        ("https://proxy.test/openai/v1?api-version=2024-02-01", False),
        ("https://api.openai.com.evil.test/v1", False),
        ("http://127.0.0.1:8080/v1", False),
        ("http://[::1]:8080/v1", False),
    ],
)
def test_what_is_known_of_openai_holds_at_its_and_azures_addresses_only(base_url: str, known: bool) -> None:
    assert Endpoint.under(base_url, None).is_openai_or_azure is known


@pytest.mark.parametrize(
    ("base_url", "files"),
    [
        (
            "https://a.openai.azure.com/openai/deployments/small?api-version=2024-10-21",
            "https://a.openai.azure.com/openai/files?api-version=2024-10-21",
        ),
        ("https://a.openai.azure.com/openai/v1/", "https://a.openai.azure.com/openai/v1/files"),
        ("https://api.openai.com/v1/embeddings", "https://api.openai.com/v1/files"),
        ("http://localhost:1/deployments/small", "http://localhost:1/deployments/small/files"),
    ],
)
def test_files_and_batches_are_beside_the_deployments_of_azure(base_url: str, files: str) -> None:
    assert Endpoint.under(base_url, None).beside("files") == files
