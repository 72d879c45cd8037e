"""What STS answers with: results and errors, in JSON for those who accept it, else in XML.

Source: AWS STS API Reference, "Common Errors"; the JSON form is the one that STS gives to
`Accept: application/json`.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from xml.sax.saxutils import escape

from dev.aws_double.wire import Request, Response

NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"

Value = str | int | datetime | Mapping[str, "Value"]
Result = Mapping[str, Value]


class AwsError(Exception):
    """A refusal.

    Attributes:
        code: the AWS error code, which clients match on.
        message: the text beside it.
        status: the HTTP status.
    """

    def __init__(self, code: str, message: str, status: int = 403) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def result_response(request: Request, action: str, result: Result) -> Response:
    """Give the response to an action that succeeded."""
    request_id = str(uuid.uuid4())
    document: Result = {
        f"{action}Response": {
            f"{action}Result": result,
            "ResponseMetadata": {"RequestId": request_id},
        }
    }
    return _response(request, 200, document, request_id)


def error_response(request: Request, error: AwsError) -> Response:
    """Give the response to a refusal or a fault."""
    request_id = str(uuid.uuid4())
    at_fault = "Receiver" if error.status >= 500 else "Sender"  # noqa: PLR2004 - HTTP's own line
    document: Result = {
        "Error": {"Type": at_fault, "Code": error.code, "Message": error.message},
        "RequestId": request_id,
    }
    if not accepts_json(request):
        document = {"ErrorResponse": document}
    return _response(request, error.status, document, request_id)


def accepts_json(request: Request) -> bool:
    """Tell whether the caller asked for JSON."""
    return "application/json" in request.header("accept")


def _response(request: Request, status: int, document: Result, request_id: str) -> Response:
    headers = (("x-amzn-RequestId", request_id),)
    if accepts_json(request):
        body = json.dumps(document, default=datetime.timestamp)
        return Response(status, "application/json", body.encode(), headers)
    [(name, children)] = document.items()
    body = f'<{name} xmlns="{NAMESPACE}">{_xml(children)}</{name}>'
    return Response(status, "text/xml", body.encode(), headers)


def _xml(value: Value) -> str:
    if isinstance(value, Mapping):
        return "".join(f"<{name}>{_xml(child)}</{name}>" for name, child in value.items())
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return escape(str(value))
