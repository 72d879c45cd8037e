"""TokenReviews that must be read, and bodies that must not."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authenticator import review
from authenticator.errors import MalformedRequest
from tests.corpus import forge

CASES = forge.cases("requests")


def named(case: dict[str, Any]) -> str:
    return str(case["name"])


# Over the cap is the server's to refuse, before anything is parsed.
@pytest.mark.parametrize("case", [c for c in CASES if c["status"] == 400], ids=named)
def test_refused(case: dict[str, Any]) -> None:
    with pytest.raises(MalformedRequest) as caught:
        review.parse(forge.body(case))
    assert caught.value.status == 400


@pytest.mark.parametrize("case", [c for c in CASES if c["status"] == 200], ids=named)
def test_a_review_of_a_strange_token_is_a_review(case: dict[str, Any]) -> None:
    assert review.parse(forge.body(case)).token


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_as_the_api_server_posts_it(version: str) -> None:
    body = {
        "kind": "TokenReview",
        "apiVersion": f"authentication.k8s.io/{version}",
        "metadata": {},
        "spec": {"token": "k8s-aws-v1.x", "audiences": ["https://kubernetes.default.svc"]},
        "status": {"user": {}},
    }
    request = review.parse(json.dumps(body).encode())
    assert (request.api_version, request.token) == (body["apiVersion"], "k8s-aws-v1.x")
    assert "k8s-aws" not in repr(request)
    assert json.loads(review.deny(request)) == {
        "apiVersion": body["apiVersion"],
        "kind": "TokenReview",
        "status": {"authenticated": False},
    }


@given(st.binary())
def test_any_bytes(body: bytes) -> None:
    with pytest.raises(MalformedRequest):
        review.parse(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text() | st.sampled_from(["kind", "apiVersion", "spec", "token"]), inner, max_size=4
        )
    ),
    max_leaves=10,
)


@given(JSON)
def test_any_json(value: Any) -> None:
    with pytest.raises(MalformedRequest):
        review.parse(json.dumps(value).encode())


@given(st.text(min_size=1), st.sampled_from(sorted(review.API_VERSIONS)))
def test_every_token_is_read_as_it_was_posted(token: str, version: str) -> None:
    body = {"kind": "TokenReview", "apiVersion": version, "spec": {"token": token}}
    request = review.parse(json.dumps(body).encode())
    assert (request.token, request.api_version) == (token, version)
