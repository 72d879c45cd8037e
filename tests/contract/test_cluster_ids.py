"""What a cluster id may be: the plugin and the server have a rule each, which must be one."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from authenticator.settings import Settings
from client import cluster
from client.errors import ClientError

LIKELY = st.text(st.sampled_from("ab \t\n\0\x7f~!é/:"), max_size=6)


def client_takes(cluster_id: str) -> bool:
    try:
        cluster.check(cluster_id)
    except ClientError:
        return False
    return True


def server_takes(cluster_id: str) -> bool:
    try:
        Settings.model_validate({"cluster_id": cluster_id})
    except ValidationError:
        return False
    return True


@given(LIKELY | st.text())
@example("c" * 256)
@example("c" * 257)
@example("a b")
@example("a  b")
@example("a\u00a0b")
@example("c\n")
def test_both_take_the_same_ids(cluster_id: str) -> None:
    assert client_takes(cluster_id) == server_takes(cluster_id)


def test_each_takes_some_and_refuses_some() -> None:
    assert client_takes("my cluster")
    assert not client_takes("my  cluster")
