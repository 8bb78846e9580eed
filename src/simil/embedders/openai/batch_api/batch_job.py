"""A job: the texts of an input, asked for in batches until each has its vector in the cache, or a refusal.

Whatever happens between two steps, the next run goes on: it finds files and batches at the server by names
that only this job gives, and what a batch was asked by the file that was uploaded for it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

from simil.embedders.base import Kind, Mark, VectorForm
from simil.embedders.openai.batch_api.batch_lines import RequestLine, read_answers, read_requests
from simil.embedders.openai.batch_api.batch_state import BatchState, SentBatch
from simil.embedders.openai.batch_api.job_lock import JobLock
from simil.embedders.openai.packing import count_fitting
from simil.embedders.openai.protocol import Reply
from simil.embedders.openai.retries import RequestFailed
from simil.embedders.openai.text_batch import mean_of_parts
from simil.errors import RequestRejected, UsageError
from simil.frozen import Frozen
from simil.progress import Progress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from simil.embedders.cache.cached_embedder import CachedEmbedder
    from simil.embedders.openai.batch_api.batch_client import BatchClient, BatchStatus
    from simil.embedders.openai.client import OpenAIEmbedder
    from simil.embedders.openai.requests import EmbeddingReply

__all__ = ["BatchCounts", "BatchJob", "is_of_simil"]

log = logging.getLogger("simil")

_JOB, _NUMBER = "simil_job", "simil_batch"
_MOST_INPUTS, _MOST_BYTES = 50_000, 190 * 10**6
_FIRST_PAUSE_S, _LONGEST_PAUSE_S, _GROWTH = 0.5, 60.0, 1.5
# So often a text may come to nothing by the server's fault.
_MOST_FAILURES = 3
_TOO_MUCH = "token_limit_exceeded"
_LIMIT = re.compile(r"Limit: ([\d,]+)")
_JSON = {"content-type": "application/json"}
_CACHE_HINT = "see to the space and the rights of its folder (SIMIL_CACHE_DIR), and run it again"


def is_of_simil(batch: BatchStatus) -> bool:
    """Return whether a job of simil has begun a batch."""
    return _JOB in batch.metadata


class BatchCounts(Frozen):
    """How many batches of a job there are, how many of them are over, and how many texts came to vectors."""

    batches: int
    over: int
    collected: int


class _Draft:
    """A file of requests that is not sent yet; it has no name, so that a run that is killed leaves none."""

    def __init__(self) -> None:
        self.file = TemporaryFile()  # noqa: SIM115 - `close` closes it
        self.requests = self.inputs = self.bytes = self.tokens = 0

    def has_room(self, inputs: int, size: int, tokens: int, most_tokens: int | None) -> bool:
        """Return whether so much more fits; one request does, whatever its size."""
        is_too_much = most_tokens is not None and self.tokens + tokens > most_tokens
        fits = self.inputs + inputs <= _MOST_INPUTS and self.bytes + size <= _MOST_BYTES
        return not self.requests or (fits and not is_too_much)

    def add(self, line: bytes, inputs: int, tokens: int) -> None:
        self.file.write(line)
        self.requests += 1
        self.inputs += inputs
        self.bytes += len(line)
        self.tokens += tokens

    def close(self) -> None:
        self.file.close()


class BatchJob:
    """Goes on with the job that `state` describes, which is written after each step."""

    def __init__(
        self, api: OpenAIEmbedder, cached: CachedEmbedder, state: BatchState, kind: Kind, form: VectorForm
    ) -> None:
        self.state = state
        self._api = api
        self._cached = cached
        self._kind = kind
        self._form = form
        self._client: BatchClient = api.batch_client()
        self._lock = JobLock(state.path)
        self._draft: _Draft | None = None
        self._asked: set[bytes] = set()
        self._kept: set[bytes] = set()
        self._done: dict[int, int] = {}
        self._collected = 0

    def run(self, read: Callable[[], Iterable[Sequence[str]]], progress: Progress) -> None:
        """See to it that each text has its vector in the cache, or is refused by the embedder.

        `read` reads the input again, in groups of texts. Raises a `ProviderError` where the server does not
        go along; what was begun goes on without us.
        """
        self._find_sent()
        self.state.forget_failures()
        while True:
            self._submit(read())
            if not self._open():
                break
            with progress("waiting for batches", unit="requests") as advance:
                self._wait(advance, self._create)
            self._asked.clear()
        for group in read():
            self._refuse(group)

    def collect(self) -> BatchCounts:
        """Take over the vectors of batches that are over, without waiting for others."""
        self._find_sent()
        for sent in self._open():
            if sent.batch is not None:
                self._look_at(sent)
        return self._counts()

    def cancel(self) -> BatchCounts:
        """Have the batches go on no more, begin none, and take over the vectors that they have."""
        self._take_job()
        for sent in self._open():
            batch = self._begun(sent)
            if batch is None or batch.status == "failed":
                self._drop(sent)  # Nothing was computed.
                continue
            sent.batch, sent.file = batch.id, batch.input_file
            if not batch.is_over and batch.status != "cancelling":
                self._client.cancel(batch.id)
        self._wait(lambda done: None, self._drop)
        return self._counts()

    def statuses(self) -> Iterator[tuple[SentBatch, BatchStatus | None]]:
        """Yield each batch of the job with what the server says of it; None for one that is not begun."""
        for sent in self.state.sent:
            yield sent, None if sent.batch is None else self._client.batch(sent.batch)

    def close(self) -> None:
        """Close the connection, and let other runs go on with the job."""
        self._client.close()
        self._lock.close()
        if self._draft is not None:
            self._draft.close()

    def _open(self) -> list[SentBatch]:
        return [sent for sent in self.state.sent if not sent.is_collected]

    def _counts(self) -> BatchCounts:
        sent = self.state.sent
        return BatchCounts(len(sent), len(sent) - len(self._open()), self._collected)

    def _find_sent(self) -> None:
        """Find out what became of steps that an earlier run did not see the end of."""
        self._take_job()
        for sent in self._open():
            if sent.file is None:
                sent.file = self._client.find_file(self._file_name(sent))
            if sent.file is None:  # Its texts are still to be asked for.
                self._drop(sent)
                continue
            if sent.batch is None:
                self._create(sent)
            for line in self._requests(sent):
                self._asked.update(self._keys(line))

    def _take_job(self) -> None:
        """Take the lock, and the state as the run left it that had the lock before."""
        self._lock.take()
        self.state = BatchState.of(self.state.path, self.state.how)
        self._check_cache()

    def _submit(self, groups: Iterable[Sequence[str]]) -> None:
        """Ask for the texts that have no vector and that no batch asks for."""
        for texts in groups:
            # Of a text that is there twice the cache would find only one.
            keys = self._cached.checked_keys(texts, self._kind, self._form)
            given = [*dict(zip(keys, texts, strict=True)).items()]
            missing = self._cached.missing([text for _, text in given], self._kind, self._form)
            new = {key: text for key, text in map(given.__getitem__, missing) if not self._is_settled(key)}
            if not self._kept.isdisjoint(new):
                raise UsageError("vectors of batches are gone from the cache again", hint=_CACHE_HINT)
            self._asked |= new.keys()
            if new:
                self._add([*new], [*new.values()])
        self._send_draft()

    def _is_settled(self, key: bytes) -> bool:
        name = key.hex()
        return key in self._asked or name in self.state.refused or name in self.state.direct

    def _add(self, keys: Sequence[bytes], texts: Sequence[str]) -> None:
        """Put requests for `texts` into files: many texts in one, but for those that are special."""
        prepared = self._api.prepared(texts)
        plain: list[tuple[str, int]] = []
        for row, places, is_cut in prepared.planned():
            parts = [prepared.texts[place] for place in places]
            tokens = sum(prepared.sizes[place] for place in places)
            if parts != [texts[row]]:
                self._put(RequestLine("", parts, keys[row], is_cut), tokens)
            elif keys[row].hex() in self.state.alone:
                self._put(RequestLine("", parts), tokens)
            else:
                plain.append((texts[row], tokens))
        while plain:
            count = self._count_fitting([size for _, size in plain])
            self._put(
                RequestLine("", [text for text, _ in plain[:count]]), sum(size for _, size in plain[:count])
            )
            plain = plain[count:]

    def _count_fitting(self, sizes: Sequence[int]) -> int:
        """Return how many of the first texts go into one request, which has to fit into a batch."""
        count, most = count_fitting(sizes), self.state.most_tokens
        while most is not None and count > 1 and sum(sizes[:count]) > most:
            count //= 2
        return count

    def _put(self, request: RequestLine, tokens: int) -> None:
        """Add a request to the file that is being made; one that is full is sent before."""
        most = self.state.most_tokens
        if most is not None and tokens > most:
            said = f"a text has {tokens} tokens; at {self._client.host} all batches may have {most}"
            raise RequestRejected(said, hint="leave out --batch")
        body = self._api.request_body(request.texts)
        inputs = len(request.texts)
        if self._draft and not self._draft.has_room(inputs, len(body), tokens, self.state.most_tokens):
            self._send_draft()
        if self._draft is None:
            self._draft = _Draft()
        name = f"{self.state.next_number()}-{self._draft.requests}"
        self._draft.add(request.replaced(name=name).line(body), inputs, tokens)

    def _send_draft(self) -> None:
        draft, self._draft = self._draft, None
        if draft is None:
            return
        sent = SentBatch(self.state.next_number(), tokens=draft.tokens)
        self.state.sent.append(sent)
        self.state.begun += 1
        self.state.save()
        sent.file = self._client.upload(self._file_name(sent), draft.file)
        self.state.save()
        draft.close()
        self._create(sent)

    def _begun(self, sent: SentBatch) -> BatchStatus | None:
        if sent.batch is None:
            return self._client.find_batch(self._mark(sent))
        return self._client.batch(sent.batch)

    def _mark(self, sent: SentBatch) -> dict[str, str]:
        return {_JOB: self.state.name, _NUMBER: f"{sent.number}"}

    def _create(self, sent: SentBatch) -> None:
        assert sent.file is not None
        batch = self._client.create(sent.file, self._mark(sent))
        sent.batch, sent.status = batch.id, batch.status
        self.state.save()

    def _drop(self, sent: SentBatch) -> None:
        self.state.sent.remove(sent)
        self.state.save()

    def _file_name(self, sent: SentBatch) -> str:
        return f"simil-{self.state.name}-{sent.number}.jsonl"

    def _wait(self, advance: Callable[[int], None], go_on: Callable[[SentBatch], None]) -> None:
        """Look at the batches, less and less often, until all are over, and take over their vectors.

        `go_on` is what is done with one that is not begun.
        """
        pause = _FIRST_PAUSE_S
        while True:
            before = sum(self._done.values()), len(self._open())
            for sent in self._open():
                if sent.batch is None and any(each.batch for each in self._open()):
                    continue  # It waits for another to make room.
                if sent.batch is None:
                    go_on(sent)
                if sent.batch is not None:
                    self._look_at(sent)
            after = sum(self._done.values()), len(self._open())
            advance(after[0] - before[0])
            if not after[1]:
                return
            pause = _FIRST_PAUSE_S if after != before else min(pause * _GROWTH, _LONGEST_PAUSE_S)
            self._client.pause(pause)

    def _look_at(self, sent: SentBatch) -> None:
        """See how far a batch is, and take over the vectors of one that is over."""
        assert sent.batch is not None
        batch = self._client.batch(sent.batch)
        sent.status = batch.status
        self._done[sent.number] = batch.done + batch.failed
        if not batch.is_over:
            return
        if batch.status == "failed":
            self._failed(sent, batch)
            return
        self._take_over(sent, batch)
        self._check_cache()
        sent.is_collected = True
        self.state.save()

    def _check_cache(self) -> None:
        """See to it that what is paid for is kept; what is not stays at the server. Raises `UsageError`."""
        if not self._cached.is_writable():
            said = "the vectors of batches are kept in the cache, which cannot be written"
            raise UsageError(said, hint=_CACHE_HINT)

    def _failed(self, sent: SentBatch, batch: BatchStatus) -> None:
        """Go on after a batch that was not taken on; raises `RequestRejected` if that cannot help."""
        code, said = batch.fault or ("", "it gives no reason")
        if code != _TOO_MUCH:
            sent.is_collected = True  # Nothing was computed: the texts are asked for anew by another run.
            self.state.save()
            raise RequestRejected(f'{self._client.host} refused a batch: "{self._api.scrubbed(said)}"')
        limit = _LIMIT.search(said)
        log.info("%s", said)
        if limit is not None and sent.tokens > (most := int(limit[1].replace(",", ""))):
            self.state.most_tokens = most
            self._drop(sent)  # Its texts come again, in smaller files.
        else:
            sent.batch = None
            self.state.save()

    def _take_over(self, sent: SentBatch, batch: BatchStatus) -> None:
        waiting = {line.custom_id: line for line in self._requests(sent)}
        for name in filter(None, (batch.output_file, batch.error_file)):
            with TemporaryFile() as file:
                self._client.download(name, file)
                for custom_id, status, document in read_answers(file):
                    line = waiting.pop(custom_id, None)
                    if line is not None:
                        self._take(line, status, document)
        if batch.status != "cancelled":
            for line in waiting.values():
                self._fail(line, f"{self._client.host} gave no answer")

    def _requests(self, sent: SentBatch) -> Iterator[RequestLine]:
        """Yield what a batch was asked, by the file that was uploaded."""
        assert sent.file is not None
        with TemporaryFile() as file:
            self._client.download(sent.file, file)
            yield from read_requests(file)

    def _keys(self, line: RequestLine) -> list[bytes]:
        if line.key is not None:
            return [line.key]
        return self._cached.keys(line.texts, self._kind, self._form)

    def _take(self, line: RequestLine, status: int, document: Any) -> None:
        """Keep the vectors that a line brings, or note why it brings none."""
        import orjson

        if not status:
            self._fail(line, str(document.get("message") or document.get("code")))
            return
        try:
            answer = self._api.read_reply(Reply(status, _JSON, orjson.dumps(document)), len(line.texts))
        except RequestFailed as exc:
            self._note_refusal(line, exc)
            return
        if line.key is None:
            self._keep(line, answer)
        elif answer.faults:
            self._refuse_key(line.key, next(iter(answer.faults.values())).message)
        else:
            sizes = self._api.prepared(line.texts).sizes
            vector = mean_of_parts([*answer.vectors], sizes)
            self._store([line.key], vector[None], Mark.CUT if line.is_cut else 0)

    def _keep(self, line: RequestLine, answer: EmbeddingReply) -> None:
        keys = self._keys(line)
        right = [row for row in range(len(keys)) if row not in answer.faults]
        self._store([keys[row] for row in right], answer.vectors[right], 0)
        for row, fault in answer.faults.items():
            self._refuse_key(keys[row], fault.message)

    def _store(self, keys: Sequence[bytes], vectors: NDArray[np.float32], mark: int) -> None:
        import numpy as np

        marks = np.full(len(keys), mark, np.uint8)
        self._cached.put(keys, self._api.finished(vectors, marks, self._form))
        self._kept.update(keys)
        self._collected += len(keys)

    def _note_refusal(self, line: RequestLine, failed: RequestFailed) -> None:
        keys = self._keys(line)
        if failed.may_be_retried or failed.blame is None:
            self._fail(line, failed.message)
        elif len(keys) > 1:
            self.state.alone.update(key.hex() for key in keys)
        elif failed.blame.is_length:
            self.state.direct.add(keys[0].hex())
        else:
            self._refuse_key(keys[0], failed.message)

    def _fail(self, line: RequestLine, why: str) -> None:
        """Note that texts came to nothing by no fault of theirs; they are asked for again, a few times."""
        for key in self._keys(line):
            times = self.state.failures.get(key.hex(), 0) + 1
            self.state.failures[key.hex()] = times
            if times >= _MOST_FAILURES:
                self._refuse_key(key, f"{self._api.scrubbed(why)}, after {times} tries")

    def _refuse_key(self, key: bytes, why: str) -> None:
        self.state.refused[key.hex()] = why

    def _refuse(self, texts: Sequence[str]) -> None:
        """Have the embedder reject what the server has refused, without asking for it again."""
        keys = self._cached.keys(texts, self._kind, self._form)
        for key, text in zip(keys, texts, strict=True):
            why = self.state.refused.get(key.hex())
            if why is not None:
                self._api.refuse(text, why)
