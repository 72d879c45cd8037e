"""Requests and answers of a REST service in JSON, held to the service model that botocore has.

What an operation takes and gives is in that model, so that neither the double nor a test repeats
it.
Source: Smithy, "AWS restJson1 protocol"; the model is the one that the AWS SDKs are made of.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote

import botocore.session
from botocore.model import OperationModel, ServiceModel
from botocore.validate import ParamValidator

from dev.aws_double.answers import AwsError
from dev.aws_double.wire import Request, Response

_PLACE = re.compile(r"\{(\w+)\}")
_CONVERSIONS: dict[str, Callable[[str], Any]] = {
    "integer": int,
    "long": int,
    "boolean": lambda text: text == "true",
}


class RestJson:
    """The operations of a service.

    Args:
        service: its name in botocore, such as "eks".
    """

    def __init__(self, service: str) -> None:
        self._model: ServiceModel = botocore.session.get_session().get_service_model(service)
        self._operations = [
            (operation, re.compile(_pattern(operation), re.ASCII))
            for operation in map(self._model.operation_model, self._model.operation_names)
        ]

    def name(self, request: Request) -> str:
        """Give the name of the operation that a request asks for, "" for none."""
        found = self._find(request)
        return found[0].name if found else ""

    def parameters(self, request: Request) -> dict[str, Any]:
        """Give what a request asks for, by the names of the model.

        Raises:
            AwsError: the model does not have it so.
        """
        found = self._find(request)
        if found is None:
            raise AwsError("UnknownOperationException", "There is no such operation.", 404)
        operation, path = found
        try:
            body = json.loads(request.body) if request.body else {}
        except ValueError as error:
            raise AwsError("SerializationException", "The body is not JSON.", 400) from error
        if not isinstance(body, dict):
            raise AwsError("SerializationException", "The body is not an object.", 400)
        taken = self._taken(operation, path, _query(request), body)
        self._check(operation.input_shape, taken, "InvalidParameterException", 400)
        for name, value in taken.items():
            # botocore leaves upper bounds to the service.
            most = operation.input_shape.members[name].metadata.get("max")
            if most is not None and (value if isinstance(value, int) else len(value)) > most:
                raise AwsError("InvalidParameterException", f"{name} is more than {most}.", 400)
        return taken

    def response(self, request: Request, result: Mapping[str, Any]) -> Response:
        """Give the response to an operation that succeeded.

        Raises:
            AwsError: the model has no such result, which is the double's own fault.
        """
        found = self._find(request)
        assert found is not None, "a request without an operation has no result"
        self._check(found[0].output_shape, result, "ServerException", 500)
        return _json(200, result)

    def error(self, error: AwsError) -> Response:
        """Give the response to a refusal; its code is in a header."""
        return _json(error.status, {"message": error.message}, ("x-amzn-ErrorType", error.code))

    def _find(self, request: Request) -> tuple[OperationModel, dict[str, str]] | None:
        for operation, pattern in self._operations:
            path = pattern.fullmatch(request.path)
            if path is not None and operation.http["method"] == request.method:
                return operation, {name: unquote(text) for name, text in path.groupdict().items()}
        return None

    def _taken(
        self,
        operation: OperationModel,
        path: Mapping[str, str],
        query: Mapping[str, list[str]],
        body: dict[str, Any],
    ) -> dict[str, Any]:
        taken: dict[str, Any] = {}
        known: set[str] = set()
        members = operation.input_shape.members if operation.input_shape else {}
        for name, shape in members.items():
            place = shape.serialization.get("location")
            key = shape.serialization.get("name", name)
            known.add(key)
            if place == "uri":
                taken[name] = path[key]
            elif place == "querystring" and key in query:
                texts = query[key]
                taken[name] = texts if shape.type_name == "list" else _converted(shape, texts[-1])
            elif place is None and key in body:
                taken[name] = body[key]
        if unknown := {*query, *body} - known:
            raise AwsError("SerializationException", f"Unknown: {', '.join(sorted(unknown))}.", 400)
        return taken

    @staticmethod
    def _check(shape: Any, values: Mapping[str, Any], code: str, status: int) -> None:
        if shape is not None:
            report = ParamValidator().validate(values, shape)
            if report.has_errors():
                raise AwsError(code, report.generate_report(), status)


def _pattern(operation: OperationModel) -> str:
    """Give the pattern of an operation's path, without its query."""
    parts = _PLACE.split(operation.http["requestUri"].partition("?")[0])
    return "".join(
        f"(?P<{part}>[^/]+)" if number % 2 else re.escape(part) for number, part in enumerate(parts)
    )


def _query(request: Request) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, text in request.query:
        found.setdefault(name, []).append(text)
    return found


def _converted(shape: Any, text: str) -> Any:
    try:
        return _CONVERSIONS.get(shape.type_name, str)(text)
    except ValueError as error:
        raise AwsError("SerializationException", f"{text} is no number.", 400) from error


def _json(status: int, document: object, *headers: tuple[str, str]) -> Response:
    body = json.dumps(document, default=datetime.timestamp).encode()
    request_id = ("x-amzn-RequestId", str(uuid.uuid4()))
    return Response(status, "application/json", body, (request_id, *headers))
