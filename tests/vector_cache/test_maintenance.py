"""What people do with the cache."""

from __future__ import annotations

import random
from contextlib import closing
from pathlib import Path

import pytest
from support.known import key_of, put, vectors_of, wrong_among

from simil.embedders.cache import maintenance
from simil.embedders.cache.database import CacheFile, current, files
from simil.errors import UsageError
from vector_cache.conftest import Open

HOUR = 3600


@pytest.fixture
def keys() -> list[bytes]:
    return [key_of(number) for number in range(200)]


@pytest.fixture
def filled(folder: Path, open_cache: Open, keys: list[bytes]) -> Path:
    """A file of 200 vectors, the n-th of which was used in hour n; its name."""
    for hour, key in enumerate(keys):
        with closing(open_cache(clock=lambda hour=hour: hour * HOUR)) as cache:
            put(cache, [key])
    return current(folder)


def test_a_sound_file(filled: Path, folder: Path, keys: list[bytes]) -> None:
    before = filled.read_bytes()
    result = maintenance.verify(folder.parent)

    assert (result.checked, result.dropped, result.faults, result.is_sound) == (200, 0, (), True)
    assert filled.read_bytes() == before


def test_every_flipped_bit_of_a_vector_is_found_and_its_row_dropped(
    filled: Path, folder: Path, open_cache: Open, keys: list[bytes]
) -> None:
    chance = random.Random(3)
    victims = chance.sample(range(200), 40)
    data = bytearray(filled.read_bytes())
    for row in victims:
        value = vectors_of([keys[row]]).tobytes()
        place = data.find(value)
        assert place > 0
        # The checksum behind the vector counts as part of it.
        bit = chance.randrange((len(value) + 4) * 8)
        data[place + bit // 8] ^= 1 << bit % 8
    filled.write_bytes(data)
    result = maintenance.verify(folder.parent)

    assert (result.checked, result.dropped, result.is_sound) == (200, 40, False)
    assert wrong_among(open_cache(), keys) == (set(range(200)) - set(victims), 0)
    assert maintenance.verify(folder.parent).is_sound


def test_a_flipped_bit_of_a_key_costs_its_vector(
    filled: Path, folder: Path, open_cache: Open, keys: list[bytes]
) -> None:
    data = bytearray(filled.read_bytes())
    data[data.find(keys[17]) + 31] ^= 1
    filled.write_bytes(data)
    result = maintenance.verify(folder.parent)

    assert not result.is_sound
    found, wrong = wrong_among(open_cache(), keys)
    assert wrong == 0
    assert 17 not in found


def test_strays_are_dropped(filled: Path, folder: Path, keys: list[bytes]) -> None:
    with closing(CacheFile(filled)) as file:
        file._db.execute("DELETE FROM vectors WHERE id IN (3, 4)")
        file._db.execute("DELETE FROM entries WHERE key = ?", (keys[100],))
    assert maintenance.verify(folder.parent).dropped == 3
    with closing(CacheFile(filled)) as file:
        assert file.count() == len(list(file.rows())) == 197
    assert maintenance.verify(folder.parent).is_sound


def test_a_damaged_file_is_set_aside(filled: Path, folder: Path) -> None:
    data = bytearray(filled.read_bytes())
    data[100:16384] = bytes(16284)
    filled.write_bytes(data)
    result = maintenance.verify(folder.parent)

    assert not result.is_sound
    assert result.faults
    assert filled.exists()
    assert maintenance.cache_path(folder.parent) != filled
    with pytest.raises(UsageError, match="run simil cache verify"):
        filled.rename(folder / "v1-9.sqlite3")
        maintenance.info(folder.parent, 1)


def test_info(filled: Path, folder: Path, open_cache: Open) -> None:
    found = maintenance.info(folder.parent, 5_000_000)

    assert (found.path, found.vectors, found.max_bytes, found.set_aside) == (filled, 200, 5_000_000, ())
    assert found.spaces == (maintenance.Space("known", 200, 199 * HOUR),)
    assert 0 < found.size <= filled.stat().st_size


def test_prune_by_age(filled: Path, folder: Path, open_cache: Open, keys: list[bytes]) -> None:
    result = maintenance.prune(
        folder.parent, older_than_s=50 * HOUR, max_bytes=None, clock=lambda: 200 * HOUR
    )

    assert result.dropped == 150
    assert wrong_among(open_cache(), keys) == (set(range(150, 200)), 0)


def test_prune_by_size_forgets_the_oldest_and_gives_space_back(
    filled: Path, folder: Path, open_cache: Open, keys: list[bytes]
) -> None:
    before = filled.stat().st_size
    result = maintenance.prune(folder.parent, older_than_s=None, max_bytes=120_000)
    found, wrong = wrong_among(open_cache(), keys)

    assert result.after <= 120_000 < result.before
    assert filled.stat().st_size < before
    assert wrong == 0
    assert 0 < len(found) == 200 - result.dropped
    assert found == set(range(result.dropped, 200))


def test_clear_while_another_run_has_it_open(
    filled: Path, folder: Path, open_cache: Open, keys: list[bytes]
) -> None:
    other = open_cache()
    assert wrong_among(other, keys) == (set(range(200)), 0)
    assert maintenance.clear(folder.parent) >= 65_536

    # The other goes on in the new file.
    put(other, [key_of(500)])
    assert wrong_among(other, keys) == (set(), 0)
    assert wrong_among(open_cache(), [*keys, key_of(500)]) == ({200}, 0)
    put(open_cache(), keys[:5])
    assert wrong_among(other, keys) == (set(range(5)), 0)
    assert [path.name for path in files(folder)] == ["v1-2.sqlite3"]


def test_of_nothing_there_is_nothing_to_do(tmp_path: Path) -> None:
    assert maintenance.info(tmp_path, 1).vectors == 0
    assert maintenance.verify(tmp_path).is_sound
    assert maintenance.prune(tmp_path, older_than_s=1, max_bytes=1).dropped == 0
    assert maintenance.clear(tmp_path) == 0
    assert list(tmp_path.iterdir()) == []
