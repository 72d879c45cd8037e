"""Our signature and botocore's are the same, letter for letter up to the order of parameters."""

from datetime import datetime, timezone
from unittest.mock import patch
from urllib.parse import parse_qsl, urlsplit

from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given
from hypothesis import strategies as st

from client import sigv4
from client.credentials import Credentials

TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=200)
CREDENTIALS = st.builds(
    Credentials,
    st.from_regex(r"[A-Z0-9_]{4,128}", fullmatch=True).filter(lambda key: key.strip("_")),
    TEXTS.filter(lambda secret: secret == secret.strip() and secret.isprintable()),
    # Whatever a session token may hold: it is a header too.
    st.none() | st.from_regex(r"[ -~]{1,200}", fullmatch=True),
    source=st.just("a test"),
)
REGIONS = st.sampled_from(["us-east-1", "eu-west-1", "us-gov-west-1", "cn-north-1"])
CLUSTER_IDS = st.from_regex(r"[!-~]([ -~]*[!-~])?", fullmatch=True)
TIMES = st.floats(min_value=0, max_value=4_000_000_000)


def by_botocore(
    credentials: Credentials, *, host: str, region: str, cluster_id: str, now: float
) -> str:
    request = AWSRequest(
        "GET",
        f"https://{host}/?Action=GetCallerIdentity&Version=2011-06-15",
        headers={"x-k8s-aws-id": cluster_id},
    )
    signer = SigV4QueryAuth(
        BotocoreCredentials(
            credentials.access_key, credentials.secret_key, credentials.session_token
        ),
        "sts",
        region,
        expires=60,
    )
    moment = datetime.fromtimestamp(int(now), timezone.utc)
    with patch("botocore.auth.get_current_datetime", return_value=moment):
        signer.add_auth(request)
    url: str = request.url
    return url


@given(CREDENTIALS, REGIONS, CLUSTER_IDS, TIMES)
def test_signs_as_botocore_does(
    credentials: Credentials, region: str, cluster_id: str, now: float
) -> None:
    where = {"host": f"sts.{region}.amazonaws.com", "region": region, "cluster_id": cluster_id}

    ours = urlsplit(sigv4.presign(credentials, **where, now=now))
    theirs = urlsplit(by_botocore(credentials, **where, now=now))

    assert (ours.scheme, ours.netloc, ours.path) == (theirs.scheme, theirs.netloc, theirs.path)
    assert sorted(ours.query.split("&")) == sorted(theirs.query.split("&"))


def test_writes_the_parameters_in_canonical_order() -> None:
    credentials = Credentials("AKIDEXAMPLE", "secret", "token", source="a test")
    url = sigv4.presign(
        credentials, host="sts.amazonaws.com", region="us-east-1", cluster_id="c", now=0
    )

    names = [name for name, _ in parse_qsl(urlsplit(url).query)]

    assert names == [
        "Action",
        "Version",
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-Security-Token",
        "X-Amz-SignedHeaders",
        "X-Amz-Signature",
    ]
