"""The control endpoint: what tests of other processes, and people, tell the double by HTTP.

PUT    /faults/delay   {"seconds": 0.5, "times": 3}     start a fault; "times" may be left out
DELETE /faults/delay                                    stop it
DELETE /faults                                          stop all
       /issuer-faults/...                               the same at the hosts of JWTs' keys
PUT    /federation/111122223333                         have STS issue JWTs for an account
DELETE /federation/111122223333                         issue no more
POST   /federation/111122223333/keys                    sign with a new key from now on
GET    /calls                                           the counts
GET    /requests                                        the last requests, the newest last
DELETE /calls                                           count anew
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass, fields
from email.utils import formatdate

from dev.aws_double.calls import Call, Calls
from dev.aws_double.faults import KINDS, Fault, Faults
from dev.aws_double.federation import Federation, Issuer
from dev.aws_double.wire import Request, Response, WireError, read_request

_UNKNOWN = "no such method and path"


@dataclass(frozen=True, slots=True)
class Control:
    """Serves the connections to the control port."""

    faults: Faults
    issuer_faults: Faults
    federation: Federation
    calls: Calls

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until the client ends it."""
        try:
            while (request := await read_request(reader)) is not None:
                writer.write(self.answer(request).encode(formatdate(usegmt=True)))
                await writer.drain()
        except (WireError, ConnectionError):
            pass  # The client is a developer's: closing the connection tells them enough.
        finally:
            writer.close()

    def answer(self, request: Request) -> Response:
        """Do what a request asks for."""
        try:
            document = self._act(request)
        except LookupError as error:
            return _json(404, {"error": str(error)})
        except (ValueError, TypeError, AttributeError) as error:
            return _json(400, {"error": str(error)})
        return _json(200, document)

    def _act(self, request: Request) -> object:
        match request.method, request.path.split("/")[1:]:
            case method, [("faults" | "issuer-faults") as where, *kind]:
                faults = self.faults if where == "faults" else self.issuer_faults
                _change(faults, method, kind, request)
            case method, ["federation", account, *rest]:
                return {"issuer": self._federate(method, account, rest)}
            case "GET", ["calls"]:
                counts = self.calls.counts()
                # Not asdict(): before Python 3.12 it breaks Counters.
                named = {field.name: getattr(counts, field.name) for field in fields(counts)}
                return {"total": counts.total, **named}
            case "GET", ["requests"]:
                return [_describe(call) for call in self.calls.recent()]
            case "DELETE", ["calls"]:
                self.calls.clear()
            case _:
                raise LookupError(_UNKNOWN)
        return {}

    def _federate(self, method: str, account: str, rest: list[str]) -> str:
        """Change an account's federation; give its issuer."""
        match method, rest:
            case "PUT", []:
                return self.federation.enable(account).url
            case "DELETE", []:
                self.federation.disable(account)
            case "POST", ["keys"]:
                self._issuer(account).rotate()
            case _:
                raise LookupError(_UNKNOWN)
        return self._issuer(account).url

    def _issuer(self, account: str) -> Issuer:
        issuer = self.federation.find(account)
        if issuer is None:
            raise LookupError("the account has no issuer")
        return issuer


def _change(faults: Faults, method: str, kind: list[str], request: Request) -> None:
    match method, kind:
        case "PUT", [name]:
            values = json.loads(request.body or b"{}")
            times = values.pop("times", None)
            faults.start(_kind(name)(**values), times=times)
        case "DELETE", [name]:
            faults.stop(_kind(name))
        case "DELETE", []:
            faults.stop_all()
        case _:
            raise LookupError(_UNKNOWN)


def _kind(name: str) -> type[Fault]:
    if name not in KINDS:
        raise LookupError(f"no such fault; there are {', '.join(KINDS)}")
    return KINDS[name]


def _describe(call: Call) -> dict[str, object]:
    body = call.request.body.decode(errors="replace")
    return {**asdict(call), "request": {**asdict(call.request), "body": body}}


def _json(status: int, document: object) -> Response:
    return Response(status, "application/json", json.dumps(document).encode() + b"\n")
