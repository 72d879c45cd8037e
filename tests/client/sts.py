"""STS, answering through botocore's own `before-send` event.

Real files, real parsing, real requests up to the wire.
"""

import base64
import json
import time
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from botocore.awsrequest import AWSResponse

from tests.client.running import Outcome

ROLE = "arn:aws:iam::111122223333:role/team/Admin"
KEYS = "aws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = very-secret\n"


def at(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))


class Sts:
    """Answers as STS does and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.hosts: list[str | None] = []
        self.user_id = "AIDAEXAMPLE"
        self.lifetime = 3600.0
        self.refusal = ""
        self.ahead = 0.0

    def answer(self, request: Any, **_: object) -> AWSResponse:
        body = request.body.decode() if isinstance(request.body, bytes) else request.body
        parameters = dict(parse_qsl(body))
        self.asked.append(parameters)
        self.hosts.append(urlsplit(request.url).hostname)
        action = parameters["Action"]
        if action == "AssumeRole" and self.refusal:
            return response(
                request.url,
                403,
                f"<ErrorResponse><Error><Type>Sender</Type><Code>{self.refusal}</Code><Message>"
                "User: arn:aws:iam::111122223333:user/eve is not authorized to perform:\n"
                f"sts:AssumeRole on resource: {ROLE}\n\nThe request was:"
                " x-amz-security-token:hidden</Message></Error></ErrorResponse>",
                {"date": formatdate(time.time() + self.ahead, usegmt=True)},
            )
        content = {
            "AssumeRole": "<Credentials><AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s"
            "</SecretAccessKey><SessionToken>role-token</SessionToken>"
            f"<Expiration>{at(self.lifetime)}</Expiration></Credentials>",
            "GetCallerIdentity": f"<UserId>{self.user_id}</UserId>",
        }[action]
        return response(
            request.url,
            200,
            f"<{action}Response><{action}Result>{content}</{action}Result></{action}Response>",
        )


def response(
    url: str, status: int, body: str, headers: dict[str, str] | None = None
) -> AWSResponse:
    answered = AWSResponse(url, status, headers or {}, None)
    answered._content = body.encode()
    return answered


def url_of(outcome: Outcome) -> str:
    assert (outcome.code, outcome.err) == (0, "")
    token = json.loads(outcome.out)["status"]["token"]
    return base64.b64decode(token.removeprefix("k8s-aws-v1.") + "==", altchars=b"-_").decode()
