"""A machine's metadata on loopback: instances (IMDSv2), containers and Pod Identity."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from dev.aws_double import Principal

SESSION = "metadata-session"
POD_TOKEN = "pod-identity-token"
_ROLES = "/latest/meta-data/iam/security-credentials/"


@contextlib.contextmanager
def serving(principal: Principal, region: str = "us-east-1") -> Iterator[str]:
    """Serve the principal's keys and the Region; the URL ends in a slash."""

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            known = self.path == "/latest/api/token"
            wanted = self.headers.get("x-aws-ec2-metadata-token-ttl-seconds")
            self.answer(200 if known and wanted else 404, SESSION)

        def do_GET(self) -> None:
            if self.path == "/pod":
                allowed = self.headers.get("Authorization") == POD_TOKEN
                self.answer(200 if allowed else 401, credentials(principal))
            elif self.headers.get("x-aws-ec2-metadata-token") != SESSION:
                self.answer(401, "")
            elif self.path == "/latest/meta-data/placement/availability-zone/":
                self.answer(200, f"{region}a")
            elif self.path == _ROLES:
                self.answer(200, "node")
            elif self.path == f"{_ROLES}node":
                self.answer(200, credentials(principal))
            else:
                self.answer(404, "")

        def answer(self, status: int, text: str) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def credentials(principal: Principal) -> str:
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    return json.dumps(
        {
            "Code": "Success",
            "AccessKeyId": principal.access_key_id,
            "SecretAccessKey": principal.secret_access_key,
            "Token": principal.session_token,
            "Expiration": end,
        }
    )
