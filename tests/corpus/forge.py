"""Makes the corpus's tokens. Standard library only, and independent of the code under test.

Each case of `tokens.json` starts from a correct request and changes what it names; then the
request is signed, so that nothing but the change can be what a verifier refuses:

* `set`, `drop`: parameters, before signing (`{day}` is the date's day);
* `host`, `region`, `cluster_id`, `age_seconds`, `scope_day`, `security_token_bytes`: the request;
* `url`: the URL around `{host}` and `{query}`, after signing (`{query_without_X}`: without one);
* `token`: the token's text around `{encoded}`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Signer:
    """Whose keys sign, and for which cluster."""

    access_key_id: str = "AKIAIOSFODNN7EXAMPLE"
    secret_key: str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    security_token: str = ""
    cluster_id: str = "test-cluster"
    region: str = "us-west-2"


def long_session(**place: str) -> Signer:
    """The signer of the case with a session token as long as they come."""
    return Signer("ASIALONGSESSIONTOKEN", "a secret of the corpus", "A" * 6000, **place)


def cases(name: str) -> list[dict[str, Any]]:
    """The cases of one file of the corpus."""
    loaded: list[dict[str, Any]] = json.loads((FOLDER / f"{name}.json").read_text())
    return loaded


def token(case: dict[str, Any], signer: Signer = Signer(), now: float | None = None) -> str:
    """The token of one case of `tokens.json`, dated `now`."""
    moment = int(time.time() if now is None else now) - case.get("age_seconds", 0)
    region = case.get("region", signer.region)
    host = case.get("host", f"sts.{region}.amazonaws.com")
    parameters = _parameters(case, signer, moment, region)
    signature = _signature(
        parameters, host, region, case.get("cluster_id", signer.cluster_id), signer
    )
    url = case.get("url", "https://{host}/?{query}")
    return _token(case, _fill(url, host, [*parameters.items(), ("X-Amz-Signature", signature)]))


def body(case: dict[str, Any]) -> bytes:
    """The body of one case of `requests.json`."""
    if "repeat" in case:
        opening, times, closing = case["repeat"]
        return str(opening * times + "1" + closing * times).encode()
    if "pad" in case:
        review = (
            b'{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1","spec":{"token":"%s"}}'
        )
        return review % (b"x" * (int(case["pad"]) - len(review) + 2))
    if "base64" in case:
        return base64.b64decode(case["base64"])
    return str(case["body"]).encode()


def _parameters(case: dict[str, Any], signer: Signer, moment: int, region: str) -> dict[str, str]:
    date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(moment))
    changes = case.get("set", {})
    if case.get("scope_day_from_date"):
        day = re.sub(r"\D", "", changes["X-Amz-Date"])[:8].ljust(8, "0")
    else:
        day = case.get("scope_day", date[:8])
    parameters = {
        "Action": "GetCallerIdentity",
        "Version": "2011-06-15",
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{signer.access_key_id}/{day}/{region}/sts/aws4_request",
        "X-Amz-Date": date,
        "X-Amz-Expires": "60",
        "X-Amz-SignedHeaders": "host;x-k8s-aws-id",
    }
    security_token = "A" * case.get("security_token_bytes", 0) or signer.security_token
    if security_token:
        parameters["X-Amz-Security-Token"] = security_token
    parameters.update({key: value.replace("{day}", day) for key, value in changes.items()})
    return {key: value for key, value in parameters.items() if key not in case.get("drop", ())}


def _signature(
    parameters: dict[str, str], host: str, region: str, cluster_id: str, signer: Signer
) -> str:
    names = parameters["X-Amz-SignedHeaders"]
    known = {"host": host, "x-k8s-aws-id": cluster_id}
    headers = "".join(f"{name}:{known.get(name.lower(), '')}\n" for name in names.split(";"))
    query = "&".join(sorted(_pair(pair) for pair in parameters.items()))
    empty = hashlib.sha256(b"").hexdigest()
    canonical = f"GET\n/\n{query}\n{headers}\n{names}\n{empty}"
    _, *scope = parameters["X-Amz-Credential"].split("/")
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = (
        f"{parameters['X-Amz-Algorithm']}\n{parameters['X-Amz-Date']}\n{'/'.join(scope)}\n{digest}"
    )
    key = b"AWS4" + signer.secret_key.encode()
    for part in (scope[0] if scope else "", region, "sts", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


def _pair(pair: tuple[str, str]) -> str:
    return f"{pair[0]}={quote(pair[1], safe='')}"


_LEFT_OUT = {
    "query_without_action": "Action",
    "query_without_date": "X-Amz-Date",
    "query_without_expires": "X-Amz-Expires",
    "query_without_signature": "X-Amz-Signature",
}


def _fill(url: str, host: str, pairs: list[tuple[str, str]]) -> str:
    def query(items: list[tuple[str, str]]) -> str:
        return "&".join(map(_pair, items))

    fields = {key: query([p for p in pairs if p[0] != name]) for key, name in _LEFT_OUT.items()}
    fields["query"] = query(pairs)
    fields["query_with_host_only"] = fields["query"].replace("host%3Bx-k8s-aws-id", "host")
    fields["host"] = host
    for key, value in fields.items():
        url = url.replace("{" + key + "}", value)
    return url


def _token(case: dict[str, Any], url: str) -> str:
    encoded = base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")
    # A text whose last character carries bits that no byte has.
    uneven = base64.urlsafe_b64encode(
        url.encode().ljust(3 * (len(url) // 3) + 1, b"&")[: 3 * (len(url) // 3) + 1]
    )
    last = uneven.decode().rstrip("=")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    fields = {
        "encoded": encoded,
        "encoded_head": encoded[:20],
        "encoded_tail": encoded[20:],
        "encoded_with_trailing_bits": last[:-1] + alphabet[alphabet.index(last[-1]) + 1],
        "encoded_cut": encoded[: len(encoded) // 4 * 4] + "A",
    }
    text: str = case.get("token", "k8s-aws-v1.{encoded}")
    for key, value in fields.items():
        text = text.replace("{" + key + "}", value)
    return text
