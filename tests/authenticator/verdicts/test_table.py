"""The table that workers share: bounded, and never believed when it has been tampered with."""

import hashlib
import os
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authenticator.verdicts.table import SharedTable

NOW = 1000.0


def key(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest()


def test_what_was_put_is_there_until_its_end() -> None:
    table = SharedTable(slots=8)
    table.put(key(1), b"one", keep_until=NOW + 5, now=NOW)
    assert table.get(key(1), NOW) == b"one"
    assert table.get(key(1), NOW + 4.9) == b"one"
    assert table.get(key(1), NOW + 5) is None
    assert table.get(key(2), NOW) is None


def test_a_later_entry_replaces_an_earlier_one_of_its_key() -> None:
    table = SharedTable(slots=8)
    table.put(key(1), b"a longer payload", keep_until=NOW + 5, now=NOW)
    table.put(key(1), b"two", keep_until=NOW + 6, now=NOW)
    assert table.get(key(1), NOW + 5) == b"two"
    table.delete(key(1))
    assert table.get(key(1), NOW) is None


def test_it_never_grows_and_what_ends_first_goes_first() -> None:
    table = SharedTable(slots=4)
    for number in range(4):
        table.put(key(number), b"%d" % number, keep_until=NOW + 10 + number, now=NOW)
    table.put(key(9), b"nine", keep_until=NOW + 100, now=NOW)
    assert table.get(key(0), NOW) is None
    assert [table.get(key(n), NOW) for n in (1, 2, 3, 9)] == [b"1", b"2", b"3", b"nine"]


def test_what_has_ended_goes_before_anything_that_has_not() -> None:
    table = SharedTable(slots=4)
    for number in range(4):
        table.put(key(number), b"x", keep_until=NOW + (1 if number == 2 else 50), now=NOW)
    table.put(key(9), b"nine", keep_until=NOW + 3, now=NOW + 2)
    assert [table.get(key(n), NOW + 2) is not None for n in (0, 1, 2, 3, 9)] == [
        True, True, False, True, True,
    ]  # fmt: skip


def test_a_payload_that_is_too_long_is_not_kept() -> None:
    table = SharedTable(slots=4, slot_bytes=128)
    table.put(key(1), b"x" * 129, keep_until=NOW + 5, now=NOW)
    assert table.get(key(1), NOW) is None


@given(st.binary(max_size=100), st.data())
def test_one_flipped_bit_anywhere_is_an_absent_entry(payload: bytes, data: st.DataObject) -> None:
    table = SharedTable(slots=4, slot_bytes=256)
    table.put(key(1), payload, keep_until=NOW + 5, now=NOW)
    record = 32 + 16 + 8 + 2 + len(payload)
    start = next(place for place in table._places(key(1)) if table._memory[place] == key(1)[0])
    at = start + data.draw(st.integers(0, record - 1))
    table._memory[at] ^= 1 << data.draw(st.integers(0, 7))
    assert table.get(key(1), NOW) is None


@given(st.integers(0, 2**32))
def test_a_table_full_of_noise_grants_nothing_and_still_works(seed: int) -> None:
    table = SharedTable(slots=8, slot_bytes=128)
    noise = random.Random(seed)
    table._memory[:] = noise.randbytes(len(table._memory))
    for number in range(8):
        # Even a key that is really there cannot be believed without its MAC.
        place = table._places(key(number))[noise.randrange(4)]
        table._memory[place : place + 32] = key(number)
    assert [table.get(key(number), NOW) for number in range(8)] == [None] * 8
    table.put(key(1), b"one", keep_until=NOW + 5, now=NOW)
    assert table.get(key(1), NOW) == b"one"


def test_another_servers_entry_is_not_ours() -> None:
    ours, theirs = SharedTable(slots=4), SharedTable(slots=4)
    theirs.put(key(1), b"admin", keep_until=NOW + 5, now=NOW)
    ours._memory[:] = theirs._memory[:]
    assert ours.get(key(1), NOW) is None


def test_a_forked_worker_sees_what_another_put() -> None:
    table = SharedTable(slots=8)
    child = os.fork()
    if child == 0:
        table.put(key(1), b"from the child", keep_until=time.time() + 60, now=time.time())
        os._exit(0)
    os.waitpid(child, 0)
    assert table.get(key(1), time.time()) == b"from the child"


def test_workers_that_write_one_slot_at_once_never_mix_entries() -> None:
    table = SharedTable(slots=4, slot_bytes=1024)
    end = time.time() + 60
    children = []
    for worker in range(3):
        child = os.fork()
        if child == 0:
            for number in range(3000):
                table.put(key(1), b"%d" % worker * (100 + number % 500), keep_until=end, now=NOW)
            os._exit(0)
        children.append(child)
    seen = set()
    while children:
        payload = table.get(key(1), NOW)
        if payload is not None:
            seen.add(payload[:1])
            assert payload == payload[:1] * len(payload)
        if os.waitpid(children[0], os.WNOHANG)[0]:
            children.pop(0)
    assert seen <= {b"0", b"1", b"2"}


@pytest.mark.parametrize("slots", [4, 64])
@given(st.lists(st.tuples(st.integers(0, 20), st.binary(max_size=20)), max_size=60))
def test_an_entry_is_either_the_last_put_or_absent(
    slots: int, puts: list[tuple[int, bytes]]
) -> None:
    table, last = SharedTable(slots=slots, slot_bytes=128), {}
    for number, payload in puts:
        table.put(key(number), payload, keep_until=NOW + 10, now=NOW)
        last[number] = payload
        assert table.get(key(number), NOW) == payload
    for number, payload in last.items():
        assert table.get(key(number), NOW) in (payload, None)
