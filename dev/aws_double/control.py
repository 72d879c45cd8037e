"""The control endpoint: what tests of other processes, and people, tell the double by HTTP.

PUT    /faults/delay   {"seconds": 0.5, "times": 3}     start a fault; "times" may be left out
DELETE /faults/delay                                    stop it
DELETE /faults                                          stop all
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
from dev.aws_double.wire import Request, Response, WireError, read_request


@dataclass(frozen=True, slots=True)
class Control:
    """Serves the connections to the control port."""

    faults: Faults
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
            case "PUT", ["faults", kind]:
                values = json.loads(request.body or b"{}")
                times = values.pop("times", None)
                self.faults.start(_kind(kind)(**values), times=times)
            case "DELETE", ["faults", kind]:
                self.faults.stop(_kind(kind))
            case "DELETE", ["faults"]:
                self.faults.stop_all()
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
                raise LookupError("no such method and path")
        return {}


def _kind(name: str) -> type[Fault]:
    if name not in KINDS:
        raise LookupError(f"no such fault; there are {', '.join(KINDS)}")
    return KINDS[name]


def _describe(call: Call) -> dict[str, object]:
    body = call.request.body.decode(errors="replace")
    return {**asdict(call), "request": {**asdict(call.request), "body": body}}


def _json(status: int, document: object) -> Response:
    return Response(status, "application/json", json.dumps(document).encode() + b"\n")
