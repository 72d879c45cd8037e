"""Where the cluster's id comes from and what it may be."""

from pathlib import Path

import pytest

from client import cluster
from client.errors import ClientError


@pytest.mark.parametrize("cluster_id", ["c", "my-cluster.example.org", "with space", "a/b:c"])
def test_takes_what_a_header_can_carry(cluster_id: str) -> None:
    assert cluster.check(cluster_id) == cluster_id


@pytest.mark.parametrize(
    "cluster_id",
    ["", " c", "c ", "c\r\nx-evil: 1", "c\n", "c\0", "c\t", "ü", "\x7f", "a  b", "c" * 257],
    ids=repr,
)
def test_refuses_what_a_header_cannot_carry(cluster_id: str) -> None:
    with pytest.raises(ClientError, match="cluster id"):
        cluster.check(cluster_id)


@pytest.mark.parametrize(
    ("text", "cluster_id"),
    [
        ("clusterID: c\n", "c"),
        ("clusterid: c", "c"),
        ("CLUSTERID:   c   # mine\n", "c"),
        ('clusterID: "c d" # mine\n', "c d"),
        ("'clusterID': 'c'\n", "c"),
        ("clusterID: a:b#c\n", "a:b#c"),
        ("# clusterID: no\nserver:\n  clusterID: no\n  port: 1\nclusterID: yes\n", "yes"),
        ("clusterID:\n", ""),
        ("server: {}\n", ""),
        ("", ""),
    ],
)
def test_reads_the_config_file(text: str, cluster_id: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)

    assert cluster.from_config(str(path)) == cluster_id


@pytest.mark.parametrize(
    "value", ["|", "&a c", "*a", "[c]", "{c: d}", '"a\\u0020b"', '"c', "'c' d", "a: b"]
)
def test_admits_what_it_cannot_read(value: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"clusterID: {value}\n")

    with pytest.raises(ClientError, match="cannot make out clusterID"):
        cluster.from_config(str(path))


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "No such file"), (b"\xff", "not UTF-8")], ids=["absent", "bytes"]
)
def test_names_the_file_it_cannot_read(content: bytes | None, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ClientError, match=reason) as caught:
        cluster.from_config(str(path))

    assert str(path) in str(caught.value)
