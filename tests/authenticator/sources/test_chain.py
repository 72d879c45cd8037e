"""Several sources as one rule set."""

from __future__ import annotations

import json
import threading

import pytest

from authenticator.mapping.documents import read_data
from authenticator.mapping.guards import Guard
from authenticator.mapping.problems import Origin
from authenticator.mapping.rules import administrator
from authenticator.mapping.sections import SectionReader
from authenticator.sources.base import Publish, SourceState
from authenticator.sources.chain import MappingStore, StoreStatus
from dev.waiting import PATIENCE_SECONDS
from tests.authenticator.mapping.callers import role


class Told:
    """A source that says what it is told to say."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.publish: Publish | None = None
        self.stopped = False

    def start(self, publish: Publish) -> None:
        self.publish = publish

    def stop(self) -> None:
        self.stopped = True

    def say(self, *, accounts: str = "[]", synced: bool = True, **roles: str) -> None:
        """Map each role to a username."""
        assert self.publish
        entries = [
            {
                "rolearn": f"arn:aws:iam::111122223333:role/{name.replace('_', '*')}",
                "username": user,
            }
            for name, user in roles.items()
        ]
        data = {"mapRoles": json.dumps(entries), "mapAccounts": accounts}
        sections = read_data(data, SectionReader(self.name, Guard()))
        self.publish(SourceState(self.name, sections, synced=synced))


def winner(store: MappingStore, name: str) -> str | None:
    match = store.current().find(role(name), now=0)
    return match.render(role(name), "")[0] if match else None


@pytest.fixture
def first() -> Told:
    return Told("First")


@pytest.fixture
def second() -> Told:
    return Told("Second")


def test_earlier_sources_win_and_later_ones_fill_in(first: Told, second: Told) -> None:
    store = MappingStore([first, second])
    store.start()
    second.say(Dev="second", Ops="second")
    first.say(Dev="first")
    assert winner(store, "Dev") == "first"
    assert winner(store, "Ops") == "second"


def test_one_principal_in_a_later_source_beats_a_pattern_in_an_earlier(
    first: Told, second: Told
) -> None:
    store = MappingStore([first, second])
    store.start()
    first.say(D_="first")
    second.say(Dev="second")
    assert winner(store, "Dev") == "second"


def test_an_account_of_an_earlier_source_precedes_the_entries_of_a_later(
    first: Told, second: Told
) -> None:
    """As in the reference: an entry of aws-auth gave system:masters to who had no group there."""
    store = MappingStore([first, second])
    store.start()
    first.say(accounts="['111122223333']", Ops="ops")
    second.say(Dev="dev", Ops="other")
    assert winner(store, "Dev") == "arn:aws:iam::111122223333:role/Dev"
    assert winner(store, "Ops") == "ops"
    first.say()
    second.say(accounts="['111122223333']", Dev="dev")
    assert winner(store, "Dev") == "dev"


def test_administrators_come_first_and_break_glass_last_but_before_accounts(
    first: Told, second: Told
) -> None:
    admin = administrator("arn:aws:iam::111122223333:role/Creator", Origin("config", "x"))
    store = MappingStore([first], administrators=[admin], break_glass=second)
    store.start()
    first.say(Creator="first", Dev="first", accounts="['111122223333']")
    second.say(Dev="glass", Ops="glass")
    assert winner(store, "Creator") == "arn:aws:iam::111122223333:role/Creator"
    assert winner(store, "Dev") == "first"
    assert winner(store, "Ops") == "glass"
    assert winner(store, "Other") == "arn:aws:iam::111122223333:role/Other"


def test_administrators_enter_before_any_source_has_been_read() -> None:
    admin = administrator("arn:aws:iam::111122223333:role/Creator", Origin("config", "x"))
    assert winner(MappingStore([], administrators=[admin]), "Creator") is not None


def test_ready_when_every_source_has_been_read(first: Told, second: Told) -> None:
    store = MappingStore([first, second])
    store.start()
    assert not store.status().ready
    first.say()
    second.say(synced=False)
    assert not store.status().ready
    second.say()
    assert store.status().ready


def test_each_change_is_told_with_what_is_in_force_then(first: Told) -> None:
    told: list[StoreStatus] = []
    store = MappingStore([first], on_change=told.append)
    store.start()
    first.say(Dev="a")
    first.say(Dev="a", Ops="b")
    assert [status.size for status in told] == [1, 2]


def test_a_snapshot_does_not_change(first: Told) -> None:
    store = MappingStore([first])
    store.start()
    first.say(Dev="old")
    before = store.current()
    first.say(Dev="new")
    match = before.find(role("Dev"), now=0)
    assert match
    assert match.username.head == "old"


def test_a_switch_waits_until_all_of_the_new_chain_has_been_read(first: Told, second: Told) -> None:
    third = Told("Third")
    store = MappingStore([first])
    store.start()
    first.say(Dev="first")
    store.switch([second, third])
    assert winner(store, "Dev") == "first"
    second.say(Dev="second")
    assert winner(store, "Dev") == "first"
    assert store.status().switching_to == ("Second", "Third")
    assert not first.stopped
    third.say()
    assert winner(store, "Dev") == "second"
    assert first.stopped
    assert [state.name for state in store.status().sources] == ["Second", "Third"]


def test_a_switch_of_order_keeps_the_sources_running(first: Told, second: Told) -> None:
    store = MappingStore([first, second])
    store.start()
    first.say(Dev="first")
    second.say(Dev="second")
    store.switch([second, first])
    assert winner(store, "Dev") == "second"
    assert not first.stopped
    assert not second.stopped


def test_a_switch_that_is_overtaken_is_dropped(first: Told, second: Told) -> None:
    third = Told("Third")
    store = MappingStore([first])
    store.start()
    first.say(Dev="first")
    store.switch([second])
    store.switch([third])
    assert second.stopped
    third.say(Dev="third")
    second.say(Dev="second")
    assert winner(store, "Dev") == "third"


def test_a_source_may_publish_while_it_is_stopped_by_a_switch(first: Told, second: Told) -> None:
    class Busy(Told):
        def stop(self) -> None:
            # Its thread is in the midst of publishing, and stop() waits for it.
            last = threading.Thread(target=lambda: self.say(Dev="late"))
            last.start()
            last.join(PATIENCE_SECONDS)
            assert not last.is_alive()
            super().stop()

    busy = Busy("Busy")
    store = MappingStore([busy])
    store.start()
    busy.say(Dev="busy")
    store.switch([second])
    second.say(Dev="second")
    assert busy.stopped
    assert winner(store, "Dev") == "second"


def test_faults_are_logged_once_and_their_end_too(
    first: Told, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    store = MappingStore([first])
    store.start()
    first.say(accounts="[12]")
    first.say(accounts="[12]", Dev="a")
    first.say()
    lines = [record.getMessage() for record in caplog.records]
    assert len([line for line in lines if "First mapAccounts[0], line 1" in line]) == 1
    assert "First has no more problems" in lines


def test_a_change_is_logged_with_the_new_count_and_what_changes_nothing_is_not(
    first: Told, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    store = MappingStore([first])
    store.start()
    first.say(Dev="a")
    first.say(Dev="a")
    first.say(Dev="a", Ops="b", accounts='["444455556666"]')
    first.say(Dev="c", Ops="b", accounts='["444455556666"]')
    assert [record.getMessage() for record in caplog.records] == [
        "First has been read: 1 mappings",
        "First has changed: now 3 mappings",
        "First has changed: now 3 mappings",
    ]


def test_the_status_is_told_while_a_change_is_being_put_in_force(first: Told) -> None:
    """The poller asks for it: a worker that waited for a slow change would be replaced as stuck."""
    seen: list[StoreStatus] = []

    def ask(_: StoreStatus) -> None:
        asking = threading.Thread(target=lambda: seen.append(store.status()), daemon=True)
        asking.start()
        asking.join(PATIENCE_SECONDS)

    store = MappingStore([first], on_change=ask)
    store.start()
    first.say(Dev="dev")
    assert [status.size for status in seen] == [1]
