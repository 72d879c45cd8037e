"""Our request for a JWT is the one that botocore makes: signature, form, proxies and CA bundle."""

from datetime import datetime, timezone
from unittest.mock import patch
from urllib.parse import parse_qs

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given
from hypothesis import strategies as st

from client import web_identity
from client.credentials import Credentials
from client.endpoints import resolve
from tests.contract.test_client_sigv4 import CREDENTIALS, REGIONS, TIMES

AUDIENCES = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=99)


@given(CREDENTIALS, REGIONS, AUDIENCES, st.integers(60, 900), TIMES)
def test_signs_as_botocore_does(
    credentials: Credentials, region: str, audience: str, lifetime: int, now: float
) -> None:
    endpoint = resolve(region)
    body = web_identity.form(audience, lifetime)

    ours = web_identity.sign(credentials, endpoint, body, now=now)

    request = AWSRequest(
        "POST",
        f"https://{endpoint.host}/",
        headers={"Content-Type": ours["content-type"]},
        data=body,
    )
    signer = SigV4Auth(
        BotocoreCredentials(
            credentials.access_key, credentials.secret_key, credentials.session_token
        ),
        "sts",
        region,
    )
    moment = datetime.fromtimestamp(int(now), timezone.utc)
    with patch("botocore.auth.get_current_datetime", return_value=moment):
        signer.add_auth(request)
    theirs = {name.lower(): value for name, value in request.headers.items()}
    assert {**theirs, "host": endpoint.host} == dict(ours)


@given(REGIONS, AUDIENCES, st.integers(60, 900))
def test_asks_what_botocore_asks(region: str, audience: str, lifetime: int) -> None:
    """The whole request of botocore's client, caught before it is sent."""
    sent = []

    def catch(request: AWSRequest, **_: object) -> None:
        sent.append(request)
        raise InterruptedError

    CLIENT.meta.events.register_first("before-send.sts", catch)
    try:
        CLIENT.get_web_identity_token(
            Audience=[audience], SigningAlgorithm="RS256", DurationSeconds=lifetime
        )
    except InterruptedError:
        pass
    finally:
        CLIENT.meta.events.unregister("before-send.sts", catch)

    [theirs] = sent
    assert theirs.method == "POST"
    body = theirs.body if isinstance(theirs.body, str) else theirs.body.decode()
    ours = web_identity.form(audience, lifetime).decode()
    assert parse_qs(ours, strict_parsing=True) == parse_qs(body, strict_parsing=True)
    assert theirs.headers["Content-Type"] == b"application/x-www-form-urlencoded; charset=utf-8"


CLIENT = botocore.session.Session().create_client(
    "sts",
    region_name="eu-west-1",
    aws_access_key_id="AKIDEXAMPLE",
    aws_secret_access_key="secret",
    config=Config(retries={"total_max_attempts": 1}),
)
