"""Which edits may be stored, and what the editor is told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authenticator.admission.judge import FORCE, FORCE_DELETE, Judge, Policy, Surroundings, Verdict
from authenticator.admission.pending import Pending
from authenticator.admission.review import parse
from authenticator.admission.surroundings import surroundings
from authenticator.editing.lockout import Elsewhere
from authenticator.mapping.documents import read_data
from authenticator.mapping.guards import Guard
from authenticator.mapping.problems import Origin
from authenticator.mapping.rules import administrator
from authenticator.mapping.sections import SectionReader
from authenticator.sources.base import SourceState
from authenticator.sources.chain import StoreStatus
from authenticator.sources.mappings import BREAK_GLASS
from tests.authenticator.admission.reviews import (
    ALICE,
    CERTIFICATE,
    IDENTITY,
    Object,
    body,
    config_map,
    identity,
    review,
    roles,
)

# Other tests may keep the machine busy.
patient = settings(deadline=None)

NOW = 1_800_000_000.0
ROLES = "arn:aws:iam::111122223333:role/"
ADMIN = {
    "rolearn": f"{ROLES}Admin",
    "username": "admin:{{SessionName}}",
    "groups": ["system:masters"],
}
OTHER = {"rolearn": f"{ROLES}Other", "username": "other", "groups": ["system:masters"]}
VIEWER = {"rolearn": f"{ROLES}Viewer", "username": "viewer", "groups": ["viewers"]}
BROKEN = {"rolearn": "arn:aws:iam::11112222:role/Short", "username": "short"}
WORSE = {"rolearn": "nonsense", "username": "worse"}


def decide(
    request: Object,
    *,
    around: Surroundings | None = None,
    in_use: bool = True,
    **policy: Any,
) -> Verdict:
    standing = (around or Surroundings((), Elsewhere())) if in_use else None
    policy = {"guards": {}, **policy}
    judge = Judge(Policy(**policy), lambda _: standing, lambda: NOW)
    return judge.decide(parse(body(request)))


def edit(
    old: Object | None, new: Object | None, user: Object = CERTIFICATE, **more: Any
) -> Verdict:
    return decide(review(old, new, user), **more)


def aws_auth(*entries: Object, **annotations: str) -> Object:
    named = {key.replace("_", "-"): value for key, value in annotations.items()}
    return config_map(
        roles(*entries), {f"iamauthenticator.k8s.aws/{k}": v for k, v in named.items()}
    )


SOUND = aws_auth(ADMIN, OTHER)
UNREADABLE = config_map({"mapRoles": "- {"})


REJECTED: dict[str, tuple[Object | None, Object, str]] = {
    "text that does not parse": (SOUND, UNREADABLE, "unreadable"),
    "a new object that does not parse": (None, UNREADABLE, "unreadable"),
    "a section under binaryData": (
        SOUND,
        config_map(binaryData={"mapRoles": "AAAA"}),
        "unreadable",
    ),
    "an entry that cannot be used": (SOUND, aws_auth(ADMIN, OTHER, BROKEN), "bad-arn"),
    "one more of them": (
        aws_auth(ADMIN, BROKEN),
        aws_auth(ADMIN, BROKEN, BROKEN),
        "bad-arn",
    ),
    "another of them": (aws_auth(ADMIN, BROKEN), aws_auth(ADMIN, BROKEN, WORSE), "bad-arn"),
    "a mistyped section": (
        SOUND,
        config_map({**roles(ADMIN, OTHER), "mapRole": "[]"}),
        "unknown-section",
    ),
    "no list": (SOUND, config_map({"mapRoles": "a: b"}), "unreadable"),
    "a section in another case": (
        SOUND,
        config_map({**roles(ADMIN, OTHER), "mapusers": "[]"}),
        "unknown-section",
    ),
    "text that is not read": (
        SOUND,
        config_map({"mapRoles": roles(ADMIN, OTHER)["mapRoles"] + "\n---\n- a"}),
        "unread-document",
    ),
    "a duplicate that grants something else": (
        SOUND,
        aws_auth(ADMIN, OTHER, {**OTHER, "groups": ["viewers"]}),
        "conflicting-entry",
    ),
}


@pytest.mark.parametrize(("old", "new", "rule"), REJECTED.values(), ids=REJECTED)
def test_an_edit_that_brings_an_error_is_rejected(
    old: Object | None, new: Object, rule: str
) -> None:
    verdict = edit(old, new)
    assert (verdict.result, verdict.answer.allowed) == ("rejected", False)
    assert rule in verdict.findings
    assert f"[{rule}]" in verdict.answer.message
    assert FORCE in verdict.answer.message


REPAIRS: dict[str, tuple[Object, Object]] = {
    "something else changes": (aws_auth(ADMIN, BROKEN), aws_auth(ADMIN, BROKEN, VIEWER)),
    "the entry moves": (aws_auth(ADMIN, BROKEN), aws_auth(VIEWER, BROKEN, ADMIN)),
    "duplicates that conflict move": (
        aws_auth(VIEWER, ADMIN, {**VIEWER, "groups": ["a"]}),
        aws_auth(ADMIN, OTHER, VIEWER, {**VIEWER, "groups": ["a"]}),
    ),
    "one of two is repaired": (aws_auth(ADMIN, BROKEN, WORSE), aws_auth(ADMIN, BROKEN)),
    "it can be read again, with an error that nobody had seen": (
        UNREADABLE,
        aws_auth(ADMIN, BROKEN),
    ),
    "it still cannot be read, for another reason": (UNREADABLE, config_map({"mapRoles": "a: b"})),
}


@pytest.mark.parametrize(("old", "new"), REPAIRS.values(), ids=REPAIRS)
def test_an_error_that_was_there_before_is_a_warning(old: Object, new: Object) -> None:
    verdict = edit(old, new)
    assert verdict.answer.allowed, verdict.answer.message
    assert verdict.answer.warnings
    assert verdict.findings == ()


def test_a_sound_edit_passes_without_a_word() -> None:
    assert edit(SOUND, aws_auth(ADMIN, OTHER, VIEWER)).answer.warnings == ()


def test_what_lint_warns_of_is_shown() -> None:
    single = {**VIEWER, "groups": "viewers"}
    verdict = edit(SOUND, aws_auth(ADMIN, OTHER, single))
    assert verdict.answer.allowed
    assert any("[single-group]" in text for text in verdict.answer.warnings)
    assert any(text.startswith("mapRoles[2], line 1: ") for text in verdict.answer.warnings)


def test_what_is_new_is_shown_before_what_was_there() -> None:
    single = {**VIEWER, "groups": "viewers"}
    verdict = edit(aws_auth(BROKEN), aws_auth(BROKEN, single))
    assert ["[single-group]" in text for text in verdict.answer.warnings] == [True, False]


@pytest.mark.parametrize(
    ("entry", "rule"),
    [
        ({**VIEWER, "username": "system:node:{{SessionName}}"}, "node-by-session-name"),
        ({**VIEWER, "groups": ["System:masters"]}, "look-alike-name"),
        (
            {
                "rolearn": "arn:aws:sts::111122223333:federated-user/bob",
                "username": "bob",
                "groups": ["system:masters"],
            },
            "federated-system-name",
        ),
    ],
    ids=["node by session", "look-alike", "federated"],
)
def test_an_editor_is_warned_of_names_that_callers_choose_or_mistake(
    entry: Object, rule: str
) -> None:
    """A node's name taken from the session was a note, which the webhook does not show."""
    verdict = edit(SOUND, aws_auth(ADMIN, OTHER, entry))
    assert verdict.answer.allowed
    assert any(f"[{rule}]" in text for text in verdict.answer.warnings)


def test_a_rejection_also_shows_the_warnings_and_says_nothing_twice() -> None:
    single = {**VIEWER, "groups": "viewers"}
    verdict = edit(SOUND, aws_auth(ADMIN, OTHER, single, BROKEN))
    assert "[bad-arn]" in verdict.answer.message
    assert all("[bad-arn]" not in text for text in verdict.answer.warnings)
    assert any("[single-group]" in text for text in verdict.answer.warnings)


def test_a_rejection_of_hundreds_of_errors_stays_readable() -> None:
    many = [{**BROKEN, "rolearn": f"arn:aws:iam::{number}:role/x"} for number in range(300)]
    message = edit(SOUND, aws_auth(ADMIN, OTHER, *many)).answer.message
    assert "and 290 more" in message
    assert len(message) < 4096


LOCKED_OUT: dict[str, tuple[Object, Object, str]] = {
    "own entry removed": (aws_auth(OTHER), ALICE, "own-access"),
    "last administrator removed": (aws_auth(VIEWER), CERTIFICATE, "last-administrator"),
}


@pytest.mark.parametrize(("new", "user", "refusal"), LOCKED_OUT.values(), ids=LOCKED_OUT)
def test_an_edit_that_locks_somebody_out_is_rejected(
    new: Object, user: Object, refusal: str
) -> None:
    verdict = edit(SOUND, new, user)
    assert (verdict.result, verdict.answer.allowed) == ("rejected", False)
    assert verdict.findings == (refusal,)


EMPTY = ("", '""', "''", "null", "~", "[]", "  ", "# nobody", "---\n", "``")
USERS = json.dumps([{"userarn": "arn:aws:iam::111122223333:user/bob", "username": "bob"}])


@pytest.mark.parametrize("text", EMPTY)
def test_an_edit_that_empties_a_section_is_rejected_in_every_spelling(text: str) -> None:
    """`mapUsers: '""'`, as a template writes it, revokes every user."""
    before = config_map({**roles(ADMIN), "mapUsers": USERS})
    verdict = edit(before, config_map({**roles(ADMIN), "mapUsers": text}))
    assert verdict.findings == ("emptied-section",)
    assert "mapUsers would be empty" in verdict.answer.message


def test_a_section_that_is_left_out_is_emptied_as_well() -> None:
    before = config_map({**roles(ADMIN), "mapUsers": USERS})
    assert edit(before, config_map(roles(ADMIN))).findings == ("emptied-section",)


def test_a_section_that_was_empty_may_stay_so() -> None:
    before = config_map({**roles(ADMIN), "mapUsers": "[]"})
    assert edit(before, config_map({**roles(ADMIN), "mapUsers": ""})).answer.allowed


def test_a_section_is_emptied_for_a_reason() -> None:
    before = config_map({**roles(ADMIN), "mapUsers": USERS})
    after = config_map(roles(ADMIN), {FORCE: "all users have left"})
    assert edit(before, after).result == "forced"


def test_a_custom_resource_that_contradicts_another_is_rejected() -> None:
    """Which of the two the reference would apply is up to chance."""
    reader = SectionReader("CRD", Guard())
    spec = {"arn": f"{ROLES}Dev", "username": "dev", "groups": ["viewers"]}
    around = Surroundings((reader.identity("dev", spec),), Elsewhere())
    same = identity("again", **spec)
    other = identity("other", **{**spec, "groups": ["editors"]})
    settled = Surroundings((*around.sections, reader.identity("other", other["spec"])), Elsewhere())
    kept = {**other, "status": {}}

    def on_object(old: Object | None, new: Object, around: Surroundings) -> tuple[str, ...]:
        return decide(review(old, new, CERTIFICATE, IDENTITY), around=around).findings

    assert on_object(None, same, around) == ()
    assert on_object(None, other, around) == ("conflicting-entry",)
    assert on_object(other, kept, settled) == ()


def test_a_source_that_is_not_in_use_locks_nobody_out() -> None:
    assert edit(SOUND, aws_auth(), ALICE, in_use=False).answer.allowed


def test_what_could_not_be_read_before_counts_as_its_last_good_version() -> None:
    last_good = read_data(roles(ADMIN, OTHER), SectionReader("EKSConfigMap", Guard()))
    around = Surroundings(last_good, Elsewhere())
    verdict = edit(UNREADABLE, aws_auth(OTHER), ALICE, around=around)
    assert verdict.findings == ("own-access",)


def test_what_its_source_may_not_grant_is_an_error() -> None:
    guards = {"EKSConfigMap": Guard(system_names=False)}
    verdict = edit(aws_auth(VIEWER), aws_auth(VIEWER, ADMIN), guards=guards)
    assert verdict.findings == ("reserved-name",)


# Deletion.


def test_aws_auth_may_not_be_deleted() -> None:
    verdict = edit(aws_auth(VIEWER), None)
    assert (verdict.answer.allowed, verdict.findings) == (False, ("deletion",))
    assert FORCE_DELETE in verdict.answer.message


def test_aws_auth_may_be_deleted_if_the_settings_say_so() -> None:
    assert edit(aws_auth(VIEWER), None, allow_deletion=True).answer.allowed


def test_a_deletion_that_the_settings_allow_locks_nobody_out() -> None:
    verdict = edit(SOUND, None, ALICE, allow_deletion=True)
    assert verdict.findings == ("own-access", "last-administrator")


def test_a_broken_object_may_be_deleted() -> None:
    assert edit(UNREADABLE, None, allow_deletion=True).answer.allowed


# Break glass.


def test_a_reason_lets_an_edit_through_with_a_warning() -> None:
    verdict = edit(SOUND, aws_auth(VIEWER, BROKEN, force="moving to the CRD"), ALICE)
    assert verdict.result == "forced"
    assert verdict.answer.allowed
    assert verdict.forced_by == "moving to the CRD"
    assert verdict.findings == ("bad-arn", "own-access", "last-administrator")
    assert sum(text.startswith("stored all the same: ") for text in verdict.answer.warnings) == 3


def test_a_reason_counts_once() -> None:
    old = aws_auth(ADMIN, OTHER, force="moving to the CRD")
    again = aws_auth(VIEWER, force="moving to the CRD")
    assert edit(old, again, ALICE).result == "rejected"
    assert edit(old, aws_auth(VIEWER, force="and again"), ALICE).result == "forced"


@pytest.mark.parametrize("reason", ["", "   "])
def test_no_reason_forces_nothing(reason: str) -> None:
    assert edit(SOUND, aws_auth(VIEWER, force=reason), ALICE).result == "rejected"


def test_a_reason_that_nothing_needs_forces_nothing() -> None:
    assert edit(SOUND, aws_auth(ADMIN, force="to be safe")).result == "allowed"


def test_a_deletion_is_forced_on_the_object_itself() -> None:
    verdict = edit(aws_auth(ADMIN, force_delete="access entries now"), None, ALICE)
    assert (verdict.result, verdict.forced_by) == ("forced", "access entries now")


def test_a_reason_to_delete_is_not_left_behind_without_a_word() -> None:
    verdict = edit(SOUND, aws_auth(ADMIN, OTHER, force_delete="access entries now"))
    assert verdict.answer.allowed
    [warning] = verdict.answer.warnings
    assert FORCE_DELETE in warning


def test_a_forced_edit_does_not_force_a_later_deletion() -> None:
    assert edit(aws_auth(ADMIN, force="an edit"), None).result == "rejected"


def test_a_reason_holds_no_control_characters() -> None:
    assert edit(SOUND, aws_auth(force="a\nb\x1b[31m"), ALICE).forced_by == r"a\nb\x1b[31m"


# Other objects.


OTHERS = {
    "another ConfigMap": review(None, config_map({"mapRoles": "- {"}, name="other")),
    "another namespace": review(None, config_map({"mapRoles": "- {"}, namespace="default")),
    "another kind": review(None, config_map({"mapRoles": "- {"}), kind=("", "v1", "Secret")),
    "another group": review(
        None, identity("x", arn="x"), kind=("example.com", "v1", "IAMIdentityMapping")
    ),
    "a connection to nobody": review(None, None, operation="CONNECT"),
}


@pytest.mark.parametrize("request_", OTHERS.values(), ids=OTHERS)
def test_everything_else_is_let_through(request_: Object) -> None:
    verdict = decide(request_)
    assert verdict.result == "ignored"
    assert verdict.answer.allowed


def test_what_would_take_long_to_read_is_rejected_unread() -> None:
    bomb = config_map({"mapRoles": "- a\n" * 100_000})
    verdict = edit(None, bomb)
    assert (verdict.result, verdict.findings) == ("rejected", ("too-large",))


# Custom resources, whose other objects the server knows.


def standing(**objects: Object) -> Surroundings:
    reader = SectionReader("CRD", Guard())
    sections = tuple(reader.identity(name, obj["spec"]) for name, obj in sorted(objects.items()))
    return Surroundings(sections, Elsewhere())


def masters(name: str, role: str) -> Object:
    return identity(name, arn=ROLES + role, username=f"u-{name}", groups=["system:masters"])


def resource(
    old: Object | None, new: Object | None, around: Surroundings, user: Object = CERTIFICATE
) -> Verdict:
    return decide(review(old, new, user, IDENTITY), around=around)


def test_a_broken_custom_resource_is_rejected() -> None:
    verdict = resource(None, identity("x", arn="nonsense", username="x"), standing())
    assert verdict.findings == ("bad-arn",)


def test_the_last_custom_resource_that_makes_administrators_stays() -> None:
    a, b = masters("a", "A"), masters("b", "B")
    assert resource(a, None, standing(a=a)).findings == ("last-administrator",)
    assert resource(a, None, standing(a=a, b=b)).answer.allowed


def test_ones_own_custom_resource_stays() -> None:
    a, b = masters("a", "Admin"), masters("b", "B")
    around = standing(a=a, b=b)
    assert resource(a, None, around, ALICE).findings == ("own-access",)
    assert resource(b, None, around, ALICE).answer.allowed
    moved = identity("a", arn=f"{ROLES}Else", username="x", groups=["system:masters"])
    assert resource(a, moved, around, ALICE).findings == ("own-access",)


def test_a_new_custom_resource_may_not_shadow_ones_own() -> None:
    wide = identity("wide", arn=f"{ROLES}Adm*", username="x", groups=["system:masters"])
    mine = identity("mine", arn=f"{ROLES}Admin", username="x", groups=["viewers"])
    assert resource(None, mine, standing(wide=wide), ALICE).findings == ("own-access",)


class Server:
    """A server whose watch is told of nothing before `sees` says so."""

    def __init__(self, **objects: Object) -> None:
        self.now = NOW
        pending = Pending()
        self.sees(**objects)
        self._judge = Judge(
            Policy({}),
            lambda source: surroundings(pending.applied(self._status, self.now), (), source),
            lambda: self.now,
            pending,
        )

    def sees(self, **objects: Object) -> None:
        state = SourceState("CRD", standing(**objects).sections, synced=True)
        self._status = StoreStatus((SourceState("EKSConfigMap", synced=True), state), len(objects))

    def allows(
        self, old: Object | None, new: Object | None, *, trusted: bool = True, **more: Any
    ) -> bool:
        request = review(old, new, CERTIFICATE, IDENTITY, **more)
        return self._judge.decide(parse(body(request)), trusted=trusted).answer.allowed


A, B, C = masters("a", "A"), masters("b", "B"), masters("c", "C")
LOWERED = identity("a", arn=f"{ROLES}A", username="u-a")


def test_the_last_of_many_deleted_at_once_stays() -> None:
    server = Server(a=A, b=B, c=C)
    assert [server.allows(each, None) for each in (A, B, C)] == [True, True, False]


def test_edits_of_one_object_in_a_row_count_before_they_are_seen() -> None:
    server = Server(a=A, b=B)
    again = masters("a", "Else")
    assert [server.allows(A, again), server.allows(again, LOWERED)] == [True, True]
    assert not server.allows(B, None)


def test_what_has_been_seen_counts_as_it_is() -> None:
    server = Server(a=A, b=B)
    assert server.allows(A, None)
    server.sees(b=B)
    server.sees(a=masters("a", "Anew"), b=B)
    assert server.allows(B, None)


def test_what_is_deleted_and_made_anew_counts_again() -> None:
    server = Server(a=A, b=B)
    assert [server.allows(A, None), server.allows(None, A), server.allows(B, None)] == [True] * 3


def test_what_was_undone_without_asking_counts_again_once_it_is_found() -> None:
    server = Server(a=A, b=B)
    assert [server.allows(A, LOWERED), server.allows(A, A), server.allows(B, None)] == [True] * 3


def test_what_was_not_stored_after_all_counts_again() -> None:
    server = Server(a=A, b=B)
    assert server.allows(A, None)
    server.now += 60
    assert server.allows(B, None)


def test_a_dry_run_takes_nothing_away() -> None:
    server = Server(a=A, b=B)
    assert server.allows(A, None, dryRun=True)
    assert server.allows(B, None)


def test_a_request_that_somebody_made_up_takes_nothing_away() -> None:
    server = Server(a=A, b=B)
    assert server.allows(masters("a", "Guessed"), None)
    assert server.allows(B, None)


def test_a_request_of_an_unauthenticated_peer_changes_no_later_answer() -> None:
    """It "made" a known mapping system:masters, and the last administrator could be deleted."""
    server = Server(a=LOWERED, b=B)
    assert server.allows(LOWERED, A, trusted=False)
    assert not server.allows(B, None)
    # And none takes back what an API server has said.
    server = Server(a=A, b=B)
    assert server.allows(A, None)
    assert server.allows(masters("a", "Guessed"), A, trusted=False)
    assert not server.allows(B, None)


def test_to_take_away_the_last_finalizer_of_what_is_deleted_is_to_delete_it() -> None:
    a = masters("a", "A")
    a["metadata"] |= {"deletionTimestamp": "2027-01-15T08:00:00Z", "finalizers": ["x.example/y"]}
    freed = masters("a", "A")
    freed["metadata"] |= {"deletionTimestamp": "2027-01-15T08:00:00Z"}
    assert resource(a, freed, standing(a=a)).findings == ("last-administrator",)
    assert resource(a, a, standing(a=a)).answer.allowed


def test_a_custom_resource_is_forced_like_aws_auth() -> None:
    a = masters("a", "A")
    broken = identity("a", {FORCE: "drill"}, arn="nonsense", username="x")
    assert resource(a, broken, standing(a=a)).result == "forced"
    going = identity("a", {FORCE_DELETE: "drill"}, **a["spec"])
    assert resource(going, None, standing(a=a)).result == "forced"


# What is in force around an edit.


def state(name: str, *entries: Object) -> SourceState:
    return SourceState(name, read_data(roles(*entries), SectionReader(name, Guard())), synced=True)


def test_the_surroundings_keep_the_order_of_the_sources() -> None:
    administrators = (administrator(f"{ROLES}Creator", Origin("config", "x")),)
    names = ("MountedFile", "EKSConfigMap", "CRD", BREAK_GLASS)
    states = tuple(state(name, {**ADMIN, "username": name}) for name in names)
    found = surroundings(StoreStatus(states, 4), administrators, "EKSConfigMap")
    assert found is not None
    assert found.sections == states[1].sections
    assert found.elsewhere == Elsewhere(
        administrators, states[0].sections, states[2].sections, states[3].sections
    )
    assert surroundings(StoreStatus(states[:1], 1), (), "EKSConfigMap") is None


# Properties.

_ENTRIES = st.lists(st.sampled_from([ADMIN, OTHER, VIEWER, BROKEN, WORSE, {}, "x"]), max_size=6)
_TEXTS = st.one_of(_ENTRIES.map(json.dumps), st.sampled_from(["- {", "a: b", "", "null", "[["]))
_DATA = st.dictionaries(st.sampled_from(["mapRoles", "mapUsers", "mapAccounts"]), _TEXTS)
_USERS = st.sampled_from([ALICE, CERTIFICATE])


@patient
@given(_DATA, _USERS)
def test_an_edit_that_changes_nothing_passes(data: dict[str, str], user: Object) -> None:
    assert edit(config_map(data), config_map(data, {"note": "x"}), user).answer.allowed


@patient
@given(_DATA, _DATA, _USERS)
def test_every_edit_can_be_forced(old: dict[str, str], new: dict[str, str], user: Object) -> None:
    assert edit(config_map(old), config_map(new, {FORCE: "because"}), user).answer.allowed


@patient
@given(_DATA, _DATA, _USERS)
def test_no_answer_names_what_the_request_does_not(
    old: dict[str, str], new: dict[str, str], user: Object
) -> None:
    secret = {"rolearn": f"{ROLES}SECRET", "username": "SECRET", "groups": ["system:masters"]}
    hidden = read_data(roles(secret), SectionReader("SECRET", Guard()))
    around = Surroundings(hidden, Elsewhere(later=hidden))
    answer = edit(config_map(old), config_map(new), user, around=around).answer
    assert "SECRET" not in answer.message + "".join(answer.warnings)
