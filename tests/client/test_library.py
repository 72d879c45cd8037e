"""What programs import."""

import threading
from pathlib import Path

import pytest

import client
from tests.client.sts import ROLE, Sts


def test_every_name_can_be_imported() -> None:
    for name in client.__all__:
        assert getattr(client, name).__doc__


def test_there_is_no_other_name() -> None:
    with pytest.raises(AttributeError, match="'absent'"):
        _ = client.absent


@pytest.mark.usefixtures("keys")
class TestMint:
    def test_makes_a_token(self) -> None:
        assert client.mint("c", region="eu-west-1").value.startswith("k8s-aws-v1.")

    def test_assumes_a_role(self, sts: Sts) -> None:
        client.mint("c", role=client.Role(ROLE, session_name="me"), caching=False)

        assert sts.asked[-1]["RoleSessionName"] == "me"

    def test_writes_nothing_but_warns(
        self, sts: Sts, home: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        (home / ".kube").touch()

        with pytest.warns(UserWarning, match="caching no credentials"):
            client.mint("c", role=client.Role(ROLE))

        assert capfd.readouterr() == ("", "")

    def test_tells_its_own_listener(self, sts: Sts, home: Path) -> None:
        (home / ".kube").touch()
        told: list[str] = []

        client.mint("c", role=client.Role(ROLE), warn=told.append)

        [message] = told
        assert message.startswith("caching no credentials: ")
        assert message.endswith(": Not a directory; correct that, or give `token` --no-cache")

    def test_threads_of_one_process_ask_once(self, sts: Sts) -> None:
        role = client.Role(ROLE)
        threads = [
            threading.Thread(target=client.mint, args=["c"], kwargs={"role": role})
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(sts.asked) == 1
