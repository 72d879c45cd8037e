"""The hosts of the issuers: discovery documents and keys to verify JWTs with.

Source: OpenID Connect Discovery 1.0, 4.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from dev.aws_double.answers import AwsError
from dev.aws_double.faults import Faults, WrongKeys
from dev.aws_double.federation import Federation
from dev.aws_double.hosts import Endpoint
from dev.aws_double.wire import Request, Response
from dev.aws_double.wrong_keys import wrong_keys_response

DISCOVERY = "Discovery"
KEYS = "Keys"
_ACTIONS = {
    ("GET", "/.well-known/openid-configuration"): DISCOVERY,
    ("GET", "/.well-known/jwks.json"): KEYS,
}


@dataclass(frozen=True, slots=True)
class Issuers:
    """Serves what the issuers publish.

    Attributes:
        federation: the issuers.
        faults: what goes wrong at their hosts.
    """

    federation: Federation
    faults: Faults

    def action(self, request: Request) -> str:
        """Give `Discovery` or `Keys`, "" for any other path."""
        return _ACTIONS.get((request.method, request.path), "")

    def answer(self, request: Request, _: Endpoint) -> Response:
        """Answer a request. Raises AwsError: the issuer or the document is unknown."""
        issuer = self.federation.find_host(request.header("host"))
        action = self.action(request)
        if issuer is None or not action:
            raise AwsError("NotFound", "Not found.", 404)
        if action == DISCOVERY:
            return _json(issuer.discovery())
        keys = issuer.jwks()
        wrong = self.faults.take(WrongKeys)
        return _json(keys) if wrong is None else wrong_keys_response(wrong.kind, keys["keys"])

    def error(self, _: Request, error: AwsError) -> Response:
        """Give the response to a refusal."""
        return Response(error.status, "text/plain", error.message.encode())


def _json(document: object) -> Response:
    return Response(200, "application/json", json.dumps(document).encode())
