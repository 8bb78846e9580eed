"""Killed writers, flipped bits and a crowd, as in the torture, and that it would notice what is wrong."""

from __future__ import annotations

import random
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from torture.parts import vector_cache as torture

from simil.embedders.cache import maintenance
from simil.embedders.cache.store import VectorCache, cache_folder


def test_writers_that_are_killed_harm_nobody(tmp_path: Path) -> None:
    outcome = torture.kill(tmp_path, kills=10)

    assert outcome.errors == []
    assert (outcome.wrong, outcome.lost) == (0, 0)
    assert outcome.vectors > 0


def test_many_write_and_read_at_once(tmp_path: Path) -> None:
    outcome = torture.crowd(tmp_path, seconds=3, writers=4, readers=4)

    assert outcome.errors == []
    assert (outcome.wrong, outcome.lost) == (0, 0)
    assert outcome.vectors > 0


def test_flipped_bits_make_no_wrong_vector(tmp_path: Path) -> None:
    outcome = torture.flips(tmp_path, count=60)

    assert outcome.errors == []
    assert outcome.wrong == 0
    # A third of the bits or so is in no vector.
    assert 10 < outcome.seen < 60


def test_every_flip_in_a_value_is_found_and_costs_its_row_only(tmp_path: Path) -> None:
    texts = [f"kept {n}" for n in range(300)]
    data = torture.filled(tmp_path / "sound", texts).read_bytes()
    rng = random.Random(8)
    for number in range(40):
        row = rng.randrange(len(texts))
        value = torture.vectors(texts[row : row + 1]).tobytes()
        # The checksum lies behind the vector.
        bit = 8 * data.index(value) + rng.randrange(8 * (len(value) + 4))
        cache_dir = tmp_path / str(number)
        path = maintenance.cache_path(cache_dir)
        path.parent.mkdir(parents=True)
        path.write_bytes(torture.flipped(data, bit))
        found = maintenance.verify(cache_dir)
        cache = VectorCache(cache_folder(cache_dir), 1 << 40)
        hits = cache.get(torture.keys(texts))
        cache.close()

        assert (found.checked, found.dropped, found.faults) == (300, 1, ())
        assert hits is not None
        assert set(range(300)) - set(hits.rows.tolist()) == {row}
        np.testing.assert_array_equal(hits.vectors, torture.vectors([texts[row] for row in hits.rows]))


def test_what_is_wrong_or_lost_would_be_told(tmp_path: Path) -> None:
    texts = [f"w0 {n}" for n in range(10)]
    vectors = torture.vectors(texts)
    vectors[3, 1] = np.nextafter(vectors[3, 1], np.float32(2))
    cache = VectorCache(tmp_path, 1 << 40)
    cache.put("numbers@1", torture.keys(texts), vectors, np.zeros(10, np.uint8))
    cache.close()
    outcome = torture.Outcome()
    # One says that it kept twelve, another, whose work was not reported yet, that it kept none.
    workers = [SimpleNamespace(name="w0", count=12), SimpleNamespace(name="w1", count=0)]

    assert torture._check(tmp_path, workers, outcome) == 2
    assert (outcome.vectors, outcome.wrong, outcome.errors) == (10, 1, [])
    (tmp_path / "v1-2.sqlite3").touch()
    torture._check(tmp_path, workers, outcome)
    assert outcome.errors == ["a sound file was set aside"]


def test_what_a_process_says_before_it_dies_is_an_error(tmp_path: Path) -> None:
    outcome = torture.Outcome()
    with torture._crew([torture.Worker("read", tmp_path, "r0", "not a number")], outcome) as (worker,):
        worker.begun.wait()

    assert not outcome.holds
    assert "ValueError" in " ".join(outcome.errors)
    assert outcome.errors[-1] == "r0 ended with 1"
