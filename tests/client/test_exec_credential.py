"""The version that kubectl asks for, and the document it gets."""

import json
from unittest.mock import patch

import pytest

from client import exec_credential
from client.errors import ClientError

GROUP = "client.authentication.k8s.io"
CLUSTER = {"server": "https://10.0.0.1", "config": None}


@pytest.mark.parametrize("info", [None, ""], ids=["absent", "empty"])
def test_answers_v1beta1_when_nobody_asks(info: str | None) -> None:
    assert exec_credential.requested_version(info) == f"{GROUP}/v1beta1"


@pytest.mark.parametrize("version", ["v1", "v1beta1", "v1alpha1"])
@pytest.mark.parametrize("interactive", [True, False])
@pytest.mark.parametrize("end", ["", "\n"])
def test_knows_by_heart_what_kubectl_sends(version: str, interactive: bool, end: str) -> None:
    info = (
        f'{{"kind":"ExecCredential","apiVersion":"{GROUP}/{version}",'
        f'"spec":{{"interactive":{str(interactive).lower()}}}}}{end}'
    )

    with patch("json.loads", side_effect=AssertionError("parsed")):
        assert exec_credential.requested_version(info) == f"{GROUP}/{version}"


@pytest.mark.parametrize("version", ["v1", "v1beta1", "v1alpha1"])
def test_reads_any_other_order_and_content(version: str) -> None:
    info = {
        "apiVersion": f"{GROUP}/{version}",
        "kind": "ExecCredential",
        "spec": {"interactive": True, "cluster": CLUSTER},
    }

    assert exec_credential.requested_version(json.dumps(info, indent=2)) == f"{GROUP}/{version}"


@pytest.mark.parametrize("kind", ['"ExecCredentials"', "null", '"Other"', "5"])
def test_the_kind_is_ignored_as_in_the_reference(kind: str) -> None:
    """.NET sends the plural, kube-rs up to 0.86 null."""
    info = f'{{"kind":{kind},"apiVersion":"{GROUP}/v1","spec":{{"interactive":true}}}}'

    assert exec_credential.requested_version(info) == f"{GROUP}/v1"


@pytest.mark.parametrize(
    "info",
    ["{", "[" * 100_000, "[]", '{"kind":"ExecCredential"}', '{"apiVersion":""}', "null", "5"],
    ids=["half", "deep", "list", "no version", "empty version", "null", "number"],
)
def test_answers_v1beta1_where_no_version_is_given(info: str) -> None:
    assert exec_credential.requested_version(info) == f"{GROUP}/v1beta1"
    assert exec_credential.cluster_id(info) == ""


@pytest.mark.parametrize("version", ['["x"]', f'"{GROUP}/v2"', "5"])
def test_refuses_a_version_that_it_does_not_know(version: str) -> None:
    with pytest.raises(ClientError, match="asks for apiVersion"):
        exec_credential.requested_version(f'{{"apiVersion":{version}}}')


def test_the_document_is_json_with_a_time_in_utc() -> None:
    document = exec_credential.document("k8s-aws-v1.x", expiration=90061.9, version=f"{GROUP}/v1")

    assert json.loads(document) == {
        "kind": "ExecCredential",
        "apiVersion": f"{GROUP}/v1",
        "spec": {},
        "status": {"expirationTimestamp": "1970-01-02T01:01:01Z", "token": "k8s-aws-v1.x"},
    }


def asked(cluster: object) -> str:
    info = {"kind": "ExecCredential", "apiVersion": f"{GROUP}/v1", "spec": {"cluster": cluster}}
    return json.dumps(info)


NO_CLUSTER_ID = {
    "no document": None,
    "no cluster": '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1"}',
    "no extension": asked(CLUSTER),
    "no mapping": asked({"config": [1]}),
    "another extension": asked({"config": {"audience": "x"}}),
    "empty": asked({"config": {"clusterID": ""}}),
    "null": asked({"config": {"clusterID": None}}),
}


@pytest.mark.parametrize("info", NO_CLUSTER_ID.values(), ids=NO_CLUSTER_ID.keys())
def test_the_cluster_need_not_tell_its_id(info: str | None) -> None:
    assert exec_credential.cluster_id(info) == ""


def test_the_cluster_may_tell_its_id() -> None:
    info = asked({**CLUSTER, "config": {"clusterID": "my-cluster"}})

    assert exec_credential.cluster_id(info) == "my-cluster"


def test_an_id_that_is_no_string_is_refused() -> None:
    with pytest.raises(ClientError, match="is not a string"):
        exec_credential.cluster_id(asked({"config": {"clusterID": 5}}))
