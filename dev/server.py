"""Runs the server as operators do, the installed command in a process of its own.

For the demo and for the end-to-end tests.
"""

from __future__ import annotations

import contextlib
import http
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from authenticator.timestamps import rfc3339
from dev import socket_unit
from dev.ports import free_port
from dev.poster import Poster
from dev.server_log import Log
from dev.waiting import PATIENCE_SECONDS, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from typing_extensions import Self

COMMAND = Path(sys.executable).with_name("aws-iam-authenticator")

# The setting's default. Each worker follows the config file for itself.
_WORKERS = 2


class ServerError(AssertionError):
    """The server did not do what was waited for; the message holds the end of its log.

    An AssertionError, since to a test it is one.
    """


class WebhookServer:
    """One server on loopback. Its ports and its state outlive its processes.

    Args:
        config: the config file, with the port and the place of the webhook kubeconfig in it.
        environment: all that it sees of ours, besides PATH.
        command: the program.
        arguments: flags besides `--config`.
        wrapper: a program, with its arguments, that starts the command it is given.
        sockets: what it shall listen on, as a supervisor passes it (`dev.socket_unit`).

    Attributes:
        config: the config file.
        kubeconfig: the webhook kubeconfig that it generates.
        admission_kubeconfig: the one that it generates for AdmissionConfigurations.
        log: what it writes.
        port: where it serves reviews, over TLS.
        health_port: where it answers plain probes.
    """

    def __init__(
        self,
        config: Path,
        environment: Mapping[str, str],
        *,
        command: Path = COMMAND,
        arguments: Sequence[str] = (),
        wrapper: Sequence[str] = (),
        sockets: Sequence[socket.socket] = (),
    ) -> None:
        self.config = config
        self.log = Log()
        settings = yaml.safe_load(config.read_text())["server"]
        self.kubeconfig = Path(settings["generateKubeconfig"])
        self.admission_kubeconfig = self.kubeconfig.with_name(f"admission-{self.kubeconfig.name}")
        self.port: int = settings["port"]
        self.health_port = free_port()
        self._ours = command == COMMAND
        self._command = [*wrapper, str(command), "server", "--config", str(config), *arguments]
        self._passed = [sock.fileno() for sock in sockets]
        if sockets:
            self._command = socket_unit.command(self._passed, self._command)
        self._environment = {
            **environment,
            "PATH": os.environ["PATH"],
            "HOME": str(config.parent),
            # Not in the file, which the reference is to read as well.
            "KUBERNETES_AWS_AUTHENTICATOR_HEALTH_PORT": str(self.health_port),
        }
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        # The reference ends at SIGKILL only; ours, at SIGINT, removes its files in shared memory.
        try:
            if self._process is not None and self._ours:
                self.signal(signal.SIGINT)
                self.wait_until_ended()
        finally:
            self.kill()

    @property
    def pid(self) -> int:
        """The main process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until it serves. Raises ServerError."""
        self.kill()
        self._process = subprocess.Popen(
            self._command,
            cwd=self.config.parent,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # A group of its own, so that nothing of it stays behind.
            start_new_session=True,
            pass_fds=self._passed,
        )
        assert self._process.stdout is not None
        self._reader = self.log.follow(self._process.stdout)
        try:
            self.poll_until(self._serves, "it does not serve")
        except BaseException:
            self.kill()
            raise

    @property
    def running(self) -> bool:
        """Whether the main process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def workers(self) -> list[int]:
        """The ids of the worker processes that the main process has."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the main process, as a supervisor does."""
        assert self._process is not None
        self._process.send_signal(number)

    def signal_all(self, number: int) -> None:
        """Send a signal to all of its processes."""
        assert self._process is not None
        os.killpg(self._process.pid, number)

    def wait_until_closed(self) -> None:
        """Wait until nobody listens on the port any more."""
        self.poll_until(lambda: not self._listens(), "it goes on listening")

    def wait_until_ended(self) -> None:
        """Wait for the end of a server that has been told to end. Raises ServerError."""
        assert self._process is not None
        try:
            status = self._process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            raise ServerError(f"it goes on and on; {self.log.tail}") from None
        self.kill()
        if status:
            raise ServerError(f"it ended with status {status}; {self.log.tail}")

    def wait_for_workers(self, since: int) -> None:
        """Wait until all workers started after line `since` of the log know the mappings."""
        self.wait_for_each_worker("MountedFile has been read", since)

    def wait_for_each_worker(self, words: str, since: int) -> None:
        """Wait until each worker has logged some words, from line `since` of the log on.

        Raises LogError.
        """
        self.log.wait_for(lambda line: line if words in line else None, since=since, count=_WORKERS)

    def poll_until(self, condition: Callable[[], bool], complaint: str) -> None:
        """Ask until the condition holds: for what the server gives no signal of.

        Raises AssertionError with the complaint, ServerError if the server ends meanwhile.
        """

        def holds() -> bool:
            if condition():
                return True
            if not self.running:
                raise ServerError(f"it ended; {self.log.tail}")
            return False

        wait_until(holds, lambda: f"{complaint}; {self.log.tail}")

    def kill(self) -> None:
        """End it and all that it started; harmless when it has ended."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join()
        self._process = None

    def poster(self) -> Poster:
        """Connect to it as the webhook kubeconfig says."""
        return Poster(self.kubeconfig)

    def audited(self, since: str) -> dict[str, Any]:
        """Wait for the first review in the audit log that began at `since` (see `now`) or later.

        By its time and not by its line: audit lines come in batches, some after the answer.
        """

        def wanted(line: str) -> dict[str, Any] | None:
            record = _review(line)
            return record if record is not None and record["time"] >= since else None

        return self.log.wait_for(wanted, since=0)[0]

    def _serves(self) -> bool:
        try:
            with self.poster() as poster:
                return poster.get("/healthz").status == http.HTTPStatus.OK
        except OSError:  # not listening yet, or its kubeconfig not written yet
            return False
        # The reference writes its kubeconfig in place: a reader may find it empty or half.
        except (TypeError, KeyError, ValueError, yaml.YAMLError):
            return False

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def write_config(directory: Path, configuration: dict[str, Any]) -> Path:
    """Write a config file whose server keeps all of its files in `directory`, on a free port."""
    (directory / "state").mkdir()
    configuration["server"] |= {
        "port": free_port(),
        "stateDir": str(directory / "state"),
        "generateKubeconfig": str(directory / "webhook.kubeconfig"),
    }
    config = directory / "config.yaml"
    config.write_text(yaml.safe_dump(configuration))
    return config


def now() -> str:
    """The time as the audit log writes it."""
    return rfc3339(time.time(), milliseconds=True)


def _review(line: str) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and record.get("event") == "review" else None
