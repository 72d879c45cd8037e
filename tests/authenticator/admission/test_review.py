"""AdmissionReviews are read strictly, and answered within the API server's limits."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authenticator.admission.review import (
    MAX_BYTES,
    AdmissionAnswer,
    bounded,
    parse,
    render,
)
from authenticator.errors import MalformedRequest
from tests.authenticator.admission.reviews import (
    ADMIN_ARN,
    ALICE,
    body,
    config_map,
    review,
)

# Other tests may keep the machine busy.
patient = settings(deadline=None)

GOOD = review(None, config_map({"mapRoles": "[]"}), ALICE)


def changed(**request: Any) -> dict[str, Any]:
    return {**GOOD, "request": {**GOOD["request"], **request}}


def without(key: str) -> dict[str, Any]:
    return {**GOOD, "request": {k: v for k, v in GOOD["request"].items() if k != key}}


def test_a_request_is_read() -> None:
    request = parse(body(GOOD))
    assert request.uid == "705ab4f5-6393-11e8-b7cc-42010a800002"
    assert (request.operation, request.group, request.kind) == ("CREATE", "", "ConfigMap")
    assert request.name == "aws-auth"
    assert request.editor.arn == ADMIN_ARN
    assert request.old is None
    assert request.new == GOOD["request"]["object"]
    assert not request.dry_run


def test_the_name_in_a_deleted_collection_is_that_of_the_old_object() -> None:
    request = parse(body(review(config_map({}), None, name="")))
    assert (request.operation, request.name) == ("DELETE", "aws-auth")


def test_a_dry_run_is_known() -> None:
    assert parse(body(changed(dryRun=True))).dry_run


NO_REVIEWS: dict[str, bytes] = {
    "empty": b"",
    "no JSON": b"<html>",
    "not UTF-8": b'{"kind": "\xff"}',
    "a list": b"[]",
    "another kind": body({**GOOD, "kind": "TokenReview"}),
    "v1beta1, which no longer exists": body({**GOOD, "apiVersion": "admission.k8s.io/v1beta1"}),
    "no request": body({**GOOD, "request": None}),
    "a key twice": b'{"kind": "AdmissionReview", "kind": "AdmissionReview"}',
    "no uid": body(without("uid")),
    "a uid with a line break": body(changed(uid="a\nb")),
    "a long uid": body(changed(uid="a" * 200)),
    "an unknown operation": body(changed(operation="PATCH")),
    "an operation that is no text": body(changed(operation=["CREATE"])),
    "no user": body(without("userInfo")),
    "no kind": body(without("kind")),
    "an object that is a list": body(changed(object=[])),
    "metadata that is a text": body(changed(object={"metadata": "x"})),
    "data that is a list": body(changed(object=config_map() | {"data": ["x"]})),
    "binaryData that is a text": body(changed(object=config_map(binaryData="x"))),
    "annotations that are a list": body(changed(object={"metadata": {"annotations": ["x"]}})),
    "a deletion of nothing": body(changed(operation="DELETE")),
    "an update of nothing": body(changed(operation="UPDATE")),
    "deep": b'{"kind":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
}


@pytest.mark.parametrize("posted", NO_REVIEWS.values(), ids=NO_REVIEWS)
def test_what_is_no_review_is_refused(posted: bytes) -> None:
    with pytest.raises(MalformedRequest) as refused:
        parse(posted)
    assert refused.value.status == 400


TOO_LARGE = {
    "bytes": b" " * (MAX_BYTES + 1),
    "maps": b'{"a":[' + b"{}," * 500_000 + b"{}]}",
    "texts": b'{"a":[' + b'"ab",' * 500_000 + b'"ab"]}',
}


@pytest.mark.parametrize("posted", TOO_LARGE.values(), ids=TOO_LARGE)
def test_what_would_fill_memory_is_refused_before_it_is_read(posted: bytes) -> None:
    with pytest.raises(MalformedRequest) as refused:
        parse(posted)
    assert refused.value.status == 413


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)


@patient
@given(st.sampled_from(sorted(GOOD["request"])), _JSON)
def test_no_value_raises_anything_but_a_refusal(key: str, value: Any) -> None:
    with suppress(MalformedRequest):
        parse(body(changed(**{key: value})))


@patient
@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_a_refusal(posted: bytes) -> None:
    with suppress(MalformedRequest):
        parse(posted)


def answered(answer: AdmissionAnswer) -> dict[str, Any]:
    rendered: dict[str, Any] = json.loads(render(parse(body(GOOD)), answer))
    assert (rendered["apiVersion"], rendered["kind"]) == ("admission.k8s.io/v1", "AdmissionReview")
    response: dict[str, Any] = rendered["response"]
    assert response.pop("uid") == GOOD["request"]["uid"]
    return response


def test_yes() -> None:
    assert answered(AdmissionAnswer(True)) == {"allowed": True}


def test_no() -> None:
    answer = AdmissionAnswer(False, "because", ("careful",))
    assert answered(answer) == {
        "allowed": False,
        "status": {
            "status": "Failure",
            "code": 403,
            "reason": "Forbidden",
            "message": "because",
        },
        "warnings": ["careful"],
    }


@patient
@given(st.lists(st.text(max_size=400), max_size=60))
def test_the_api_server_passes_all_warnings_on_whole(warnings: list[str]) -> None:
    given_ = bounded(warnings)
    assert sum(map(len, given_)) <= 4096
    assert all(len(text) <= 256 and (not text or text.isprintable()) for text in given_)
    if warnings:
        assert given_


def test_warnings_that_do_not_fit_are_counted() -> None:
    assert bounded([str(number) for number in range(50)])[-1].startswith("and 35 more")
    long = ["x" * 200 + str(number) + "y" * 100 for number in range(20)]
    assert bounded(long)[-1].startswith("and 5 more")


def test_a_warning_is_given_once() -> None:
    assert bounded(["a", "b", "a"]) == ["a", "b"]
