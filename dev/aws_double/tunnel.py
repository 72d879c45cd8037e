"""What happens inside a CONNECT tunnel: requests are counted, faults strike, services answer."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import Protocol

from dev.aws_double.answers import AwsError
from dev.aws_double.calls import Call, Calls
from dev.aws_double.claim import read_claim
from dev.aws_double.faults import (
    FAILURES,
    Close,
    Delay,
    Dribble,
    Fail,
    Faults,
    Redirect,
    Repeat,
    Reset,
    Rubbish,
    Stray,
    TimeOut,
)
from dev.aws_double.hosts import Endpoint, Service
from dev.aws_double.principals import Principals
from dev.aws_double.rubbish import rubbish_response
from dev.aws_double.wire import Request, Response, WireError, read_request


class Answerer(Protocol):
    """A service behind the double's hosts."""

    def action(self, request: Request) -> str:
        """Give the name of the action that a request asks for, "" when it names none."""

    def answer(self, request: Request, endpoint: Endpoint) -> Response:
        """Answer a request that was received at an endpoint. Raises AwsError to refuse it."""

    def error(self, request: Request, error: AwsError) -> Response:
        """Give a refusal in the form of this service."""


# On, after 0 seconds: closing then sends RST instead of FIN (socket(7), SO_LINGER).
_LINGER_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Backend:
    """What every tunnel shares.

    Attributes:
        services: who answers for which service.
        principals: tells whose account a call is charged to.
        faults: what goes wrong.
        issuer_faults: what goes wrong at the hosts that publish the keys of JWTs.
        calls: the record.
        clock: seconds since the epoch.
    """

    services: Mapping[Service, Answerer]
    principals: Principals
    faults: Faults
    issuer_faults: Faults
    calls: Calls
    clock: Callable[[], float]

    def faults_of(self, endpoint: Endpoint) -> Faults:
        """Give the faults of an endpoint; those of STS leave the issuers of JWTs whole."""
        return self.issuer_faults if endpoint.service is Service.ISSUER else self.faults


@dataclass(frozen=True, slots=True)
class Tunnel:
    """One client connected to one host, TLS already taken off."""

    backend: Backend
    host: str
    endpoint: Endpoint
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def serve(self) -> None:
        """Answer requests until the client ends the connection."""
        while True:
            try:
                request = await read_request(self.reader)
                if request is None:
                    return
                await self._serve_one(request)
            except WireError as error:
                self.writer.write(self._encode(Response(400, "text/plain", str(error).encode())))
                return
            if self.writer.is_closing() or request.header("connection").lower() == "close":
                return

    async def _serve_one(self, request: Request) -> None:
        if not request.target.startswith("/"):
            raise WireError("the target is not a path")
        action = self._service.action(request)
        access_key_id = _claimed_key(request)
        self.backend.calls.arrive(action, access_key_id, self.host)
        response, outcome = await self._decide(request, access_key_id)
        reset = self._faults.take(Reset) is not None
        call = Call(self.host, action, access_key_id, "reset" if reset else outcome, request)
        # Before the response: whoever has got it finds it counted.
        self.backend.calls.finish(call)
        if reset:
            self._reset_within(response)
        else:
            await self._send(response)

    async def _decide(self, request: Request, access_key_id: str) -> tuple[Response, str]:
        """Give the response, and what to count it as."""
        faults = self._faults
        hang = faults.take_hang()
        if hang is not None:
            # Shielded: the end of this connection must not end the others' wait.
            await asyncio.shield(asyncio.wrap_future(hang))
        delay = faults.take(Delay)
        if delay is not None:
            await asyncio.sleep(delay.seconds)
        try:
            self._refuse(access_key_id)
            return self._mislead() or (self._service.answer(request, self.endpoint), "ok")
        except AwsError as error:
            return self._service.error(request, error), error.code

    def _refuse(self, access_key_id: str) -> None:
        """Raise the AwsError of the faults that refuse, if one is in force."""
        principal = self.backend.principals.find(access_key_id)
        account = "" if principal is None else principal.account
        if self._faults.exceeds_quota(account, self.endpoint.region):
            raise AwsError("Throttling", "Rate exceeded", 400)
        fail = self._faults.take(Fail)
        if fail is not None:
            raise AwsError(FAILURES[fail.status], "The service is at fault.", fail.status)

    def _mislead(self) -> tuple[Response, str] | None:
        """Give the response of the faults that mislead, if one is in force."""
        redirect = self._faults.take(Redirect)
        if redirect is not None:
            location = (("Location", redirect.location),)
            return Response(redirect.status, "text/plain", b"", location), "redirect"
        rubbish = self._faults.take(Rubbish)
        if rubbish is not None:
            return rubbish_response(rubbish.kind), "rubbish"
        return None

    @property
    def _service(self) -> Answerer:
        return self.backend.services[self.endpoint.service]

    @property
    def _faults(self) -> Faults:
        return self.backend.faults_of(self.endpoint)

    async def _send(self, response: Response) -> None:
        # All before the response: its reader finds them used up.
        faults = self._faults
        dribble, repeat, stray = faults.take(Dribble), faults.take(Repeat), faults.take(Stray)
        time_out = faults.take(TimeOut)
        message = self._encode(response)
        if time_out is not None and time_out.instead:
            self._time_out()
        elif faults.take(Close) is not None:
            self.writer.close()
        elif dribble is not None:
            await self._dribble(message, dribble.seconds)
        else:
            self.writer.write(message)
            await self.writer.drain()
        later = asyncio.get_running_loop().call_later
        if repeat is not None:
            later(repeat.seconds, self.writer.write, message)
        if stray is not None:
            later(stray.seconds, self.writer.write, stray.data.encode())
        if time_out is not None and not time_out.instead:
            later(time_out.seconds, self._time_out)

    async def _dribble(self, message: bytes, seconds: float) -> None:
        for byte in message:
            self.writer.write(bytes((byte,)))
            await self.writer.drain()
            await asyncio.sleep(seconds)

    def _time_out(self) -> None:
        headers = (("Connection", "close"),)
        self.writer.write(self._encode(Response(408, "text/plain", b"", headers)))
        self.writer.close()

    def _reset_within(self, response: Response) -> None:
        message = self._encode(response)
        self.writer.write(message[: len(message) // 2])
        connection = self.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
        self.writer.transport.abort()

    def _encode(self, response: Response) -> bytes:
        return response.encode(formatdate(self.backend.clock(), usegmt=True))


def _claimed_key(request: Request) -> str:
    try:
        return read_claim(request).access_key_id
    except AwsError:
        return ""
