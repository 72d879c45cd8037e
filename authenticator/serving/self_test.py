"""Tests whether this worker can answer a login at all, without asking anyone.

A login needs hash functions, the shared table, the parsers and TLS. Each can fail in a way that the
server survives: a Python that allows approved hash functions only, a broken package, a certificate
that OpenSSL refuses. Then every valid login ends in status 500, and the server looks healthy. STS,
DNS, EC2 and the API server take no part: a restart does not help when they fail.
"""

from __future__ import annotations

import base64
import logging
import secrets
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from authenticator import review
from authenticator.tokens import presigned
from authenticator.verdicts.memory import key_of, spelling_of
from authenticator.verdicts.table import SharedTable

if TYPE_CHECKING:
    from authenticator.aws.sts_hosts import StsHost

_LOG = logging.getLogger(__name__)
# A probe that comes sooner gets the last result.
_FRESH_SECONDS = 10.0
_ROUNDS = 10

Clock = Callable[[], float]


class SelfTest:
    """Runs the checks, at most every ten seconds, and remembers which ones fail."""

    def __init__(
        self,
        hosts: Mapping[str, StsHost],
        context: Callable[[], ssl.SSLContext],
        certificate: Callable[[], bytes],
        *,
        clock: Clock = time.time,
        timer: Clock = time.monotonic,
    ) -> None:
        """Set up.

        Args:
            hosts: the STS hosts that tokens may name.
            context: gives the TLS context of new connections.
            certificate: gives the PEM of the certificate in use.
            clock: Unix seconds.
            timer: seconds, never falling.
        """
        self._hosts = hosts
        self._context = context
        self._certificate = certificate
        self._clock = clock
        self._timer = timer
        self._due = -1.0
        self._faults: tuple[str, ...] = ()

    def faults(self) -> tuple[str, ...]:
        """Return which checks fail, each with the kind of its error; takes milliseconds at most."""
        now = self._timer()
        if now >= self._due:
            self._due = now + _FRESH_SECONDS
            self._note(tuple(self._run()))
        return self._faults

    def _run(self) -> Iterator[str]:
        yield from _fault("hash functions", self._hash_functions)
        yield from _fault("the shared table", self._table)
        yield from _fault("the parsers", self._parsers)
        yield from _fault("TLS", self._tls)

    def _note(self, faults: tuple[str, ...]) -> None:
        if faults != self._faults:
            for fault in faults:
                _LOG.error("%s; this worker can answer no login", fault)
            if not faults:
                _LOG.info("the self-test passes again")
        self._faults = faults

    def _hash_functions(self) -> None:
        if spelling_of("k8s-aws-v1.a") == spelling_of("k8s-aws-v1.b"):
            raise ValueError("two tokens have one hash")

    def _table(self) -> None:
        table = SharedTable(slots=4, slot_bytes=256)
        key, payload = secrets.token_bytes(32), secrets.token_bytes(64)
        table.put(key, payload, keep_until=2.0, now=1.0)
        if table.get(key, 1.0) != payload:
            raise ValueError("an entry reads as another")

    def _parsers(self) -> None:
        host, now = next(iter(self._hosts.values())), self._clock()
        document = (
            '{"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","spec":{"token":"%s"}}'
        )
        request = review.parse((document % _token(host, now)).encode())
        checked = presigned.check(request.token, now=now, hosts=self._hosts)
        key_of(checked)
        review.deny(request)

    def _tls(self) -> None:
        """Shake hands in memory with a client that trusts the certificate in use."""
        client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client_context.check_hostname = False
        # Whether API servers accept it is theirs to say; an expired one is reported elsewhere.
        client_context.verify_mode = ssl.CERT_NONE
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        server = self._context().wrap_bio(to_server, to_client, server_side=True)
        client = client_context.wrap_bio(to_client, to_server)
        waiting = [client, server]
        for _ in range(_ROUNDS):
            for end in tuple(waiting):
                try:
                    end.do_handshake()
                except ssl.SSLWantReadError:
                    continue
                waiting.remove(end)
        if waiting:
            raise ValueError("a handshake does not end")
        shown = client.getpeercert(binary_form=True) or b""
        if ssl.DER_cert_to_PEM_cert(shown).encode() not in self._certificate():
            raise ValueError("another certificate is shown")


def _fault(name: str, check: Callable[[], None]) -> Iterator[str]:
    """Yield what is wrong if a check fails."""
    try:
        check()
    except Exception as error:  # noqa: BLE001 (whatever it is, a login would meet it)
        yield f"self-test of {name} failed: {type(error).__name__}: {error}"


def _token(host: StsHost, now: float) -> str:
    """Return a token whose text is in order, and whose signature is none."""
    at = datetime.fromtimestamp(now, timezone.utc)
    query = "&".join(
        (
            "Action=GetCallerIdentity",
            "Version=2011-06-15",
            "X-Amz-Algorithm=AWS4-HMAC-SHA256",
            f"X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F{at:%Y%m%d}%2F{host.region}%2Fsts%2Faws4_request",
            f"X-Amz-Date={at:%Y%m%dT%H%M%SZ}",
            "X-Amz-Expires=60",
            f"X-Amz-SignedHeaders=host%3B{presigned.CLUSTER_ID_HEADER}",
            f"X-Amz-Signature={'0' * 64}",
        )
    )
    encoded = base64.urlsafe_b64encode(f"https://{host.name}/?{query}".encode())
    return presigned.PREFIX + encoded.rstrip(b"=").decode()
