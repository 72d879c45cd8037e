"""EC2 through botocore, against moto's server."""

from __future__ import annotations

from collections.abc import Iterator

import botocore.session
import pytest
from moto.server import ThreadedMotoServer

from authenticator.aws.ec2 import Ec2
from authenticator.errors import NamesUnavailable

ABSENT = "i-00000000000000000"
SOURCE = "arn:aws:eks:eu-central-1:111122223333:cluster/one"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def _environment(
    monkeypatch: pytest.MonkeyPatch, endpoint: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    nowhere = str(tmp_path_factory.mktemp("aws") / "none")
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "eu-central-1",
        "AWS_CONFIG_FILE": nowhere,
        "AWS_SHARED_CREDENTIALS_FILE": nowhere,
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)


@pytest.fixture
def instance_id() -> str:
    """An instance with an instance profile."""
    session = botocore.session.get_session()
    iam = session.create_client("iam", "eu-central-1")
    profile = iam.create_instance_profile(InstanceProfileName=f"p{id(iam)}")["InstanceProfile"]
    ec2 = session.create_client("ec2", "eu-central-1")
    images = ec2.describe_images()["Images"]
    made = ec2.run_instances(
        ImageId=images[0]["ImageId"],
        MinCount=1,
        MaxCount=1,
        IamInstanceProfile={"Arn": profile["Arn"]},
    )
    return str(made["Instances"][0]["InstanceId"])


def test_an_unknown_id_does_not_fail_its_batch(instance_id: str) -> None:
    calls: list[None] = []
    ec2 = Ec2(role_arn="", source_arn="", called=lambda: calls.append(None))
    found = ec2.describe([ABSENT, instance_id])
    assert set(found) == {instance_id}
    assert found[instance_id].private_dns_name.startswith("ip-")
    assert found[instance_id].account_id == "123456789012"
    assert found[instance_id].has_profile
    assert len(calls) == 1


def test_a_role_is_assumed_for_the_cluster_that_asks(
    instance_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, str]] = []
    role = "arn:aws:iam::123456789012:role/Describe"
    ec2 = Ec2(role_arn=role, source_arn=SOURCE, called=lambda: None)
    named = ec2._name_source

    def name_and_note(params: dict[str, dict[str, str]], **more: object) -> None:
        named(params, **more)
        seen.append(dict(params["headers"]))

    monkeypatch.setattr(ec2, "_name_source", name_and_note)
    assert set(ec2.describe([instance_id])) == {instance_id}
    assert [headers["x-amz-source-arn"] for headers in seen] == [SOURCE]
    assert [headers["x-amz-source-account"] for headers in seen] == ["111122223333"]


def test_an_unreachable_ec2_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_EC2", "http://127.0.0.1:1")
    with pytest.raises(NamesUnavailable, match="EC2 cannot be asked"):
        Ec2(role_arn="", source_arn="", called=lambda: None).describe([ABSENT])


def test_an_error_of_ec2_is_unavailable(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_EC2", f"{endpoint}/nothing-here")
    with pytest.raises(NamesUnavailable, match="EC2"):
        Ec2(role_arn="", source_arn="", called=lambda: None).describe([ABSENT])


def test_without_a_region_it_is_said_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    with pytest.raises(NamesUnavailable, match="set AWS_REGION"):
        Ec2(role_arn="", source_arn="", called=lambda: None).describe([ABSENT])


def test_a_socks_proxy_is_refused_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore took the scheme for a host, and showed the password."""
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    for name, value in (("HTTPS_PROXY", "socks5://me:hidden@proxy:1080"), ("NO_PROXY", "")):
        monkeypatch.setenv(name, value)
        monkeypatch.setenv(name.lower(), value)
    wanted = r"list ec2\.eu-central-1\.amazonaws\.com in NO_PROXY"
    with pytest.raises(NamesUnavailable, match=wanted) as caught:
        Ec2(role_arn="", source_arn="", called=lambda: None).describe([ABSENT])
    assert "hidden" not in str(caught.value)


def test_without_credentials_it_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(NamesUnavailable, match="credentials"):
        Ec2(role_arn="", source_arn="", called=lambda: None).describe([ABSENT])


def test_without_credentials_to_assume_the_role_with_it_is_unavailable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    ec2 = Ec2(role_arn="arn:aws:iam::111122223333:role/R", source_arn="", called=lambda: None)
    with pytest.raises(NamesUnavailable, match="credentials"):
        ec2.describe([ABSENT])
