"""AWS Signature Version 4, and the one request that a token is: a presigned GetCallerIdentity.

Written here, rather than taken from botocore, because the plugin runs at every kubectl command:
this signs in a tenth of a millisecond, importing botocore takes two hundred. That both sign alike
is proven by ``tests/contract/test_client_sigv4.py``.

Source: AWS, "Create a signed AWS API request" and "Authenticating requests: using query
parameters" in the IAM and S3 guides.
"""

import sys
import time

# `import hashlib` loads OpenSSL, which takes longer than all the rest of this module's work.
try:
    if sys.version_info >= (3, 12):
        from _sha2 import sha256
    else:
        # The type checker has no notes on this one.
        from _sha256 import sha256  # type: ignore[import-not-found]
except ImportError:  # builds without CPython's own implementation
    from hashlib import sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .credentials import Credentials

__all__ = ["ALGORITHM", "CLUSTER_ID_HEADER", "presign", "sha256", "sign"]

CLUSTER_ID_HEADER = "x-k8s-aws-id"
ALGORITHM = "AWS4-HMAC-SHA256"

# STS ignores this (a token lives 15 minutes from its date), but verifiers demand 0 to 900, and
# those of the first releases 60 at most.
_EXPIRES_SECONDS = 60
_BLOCK_SIZE = 64
_INNER_PAD = bytes(byte ^ 0x36 for byte in range(256))
_OUTER_PAD = bytes(byte ^ 0x5C for byte in range(256))
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_EMPTY_BODY_HASH = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def presign(
    credentials: "Credentials", *, host: str, region: str, cluster_id: str, now: float
) -> str:
    """Return the presigned URL of ``GetCallerIdentity``, bound to one cluster.

    Args:
        credentials: whose identity the URL proves.
        host: the STS host that will be asked, such as ``sts.eu-west-1.amazonaws.com``.
        region: the region that the signature is for.
        cluster_id: signed as the header ``x-k8s-aws-id``, which the verifier must send too.
        now: seconds since the epoch; fractions are cut off.
    """
    timestamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    scope = f"{timestamp[:8]}/{region}/sts/aws4_request"
    query = _query(credentials, scope, timestamp)
    canonical_request = (
        f"GET\n/\n{query}\n"
        f"host:{host}\n{CLUSTER_ID_HEADER}:{' '.join(cluster_id.split())}\n\n"
        f"host;{CLUSTER_ID_HEADER}\n{_EMPTY_BODY_HASH}"
    )
    signature = sign(credentials.secret_key, canonical_request, scope=scope, timestamp=timestamp)
    return f"https://{host}/?{query}&X-Amz-Signature={signature}"


def sign(secret_key: str, canonical_request: str, *, scope: str, timestamp: str) -> str:
    """Return the signature of a request in hexadecimal.

    Args:
        secret_key: the secret access key.
        canonical_request: the request as AWS defines its form for signatures.
        scope: date, region, service and terminator, with slashes.
        timestamp: the value of X-Amz-Date.
    """
    digest = sha256(canonical_request.encode()).hexdigest()
    string_to_sign = f"{ALGORITHM}\n{timestamp}\n{scope}\n{digest}"
    key = f"AWS4{secret_key}".encode()
    for part in scope.split("/"):
        key = _hmac_sha256(key, part.encode())
    return _hmac_sha256(key, string_to_sign.encode()).hex()


def _query(credentials: "Credentials", scope: str, timestamp: str) -> str:
    """Return the query string; its parameters stand in the order that the signature demands."""
    session_token = (
        f"&X-Amz-Security-Token={_quote(credentials.session_token)}"
        if credentials.session_token
        else ""
    )
    return (
        "Action=GetCallerIdentity&Version=2011-06-15"
        f"&X-Amz-Algorithm={ALGORITHM}"
        f"&X-Amz-Credential={_quote(f'{credentials.access_key}/{scope}')}"
        f"&X-Amz-Date={timestamp}"
        f"&X-Amz-Expires={_EXPIRES_SECONDS}"
        f"{session_token}"
        f"&X-Amz-SignedHeaders=host%3B{CLUSTER_ID_HEADER}"
    )


def _quote(text: str) -> str:
    """Percent-encode as RFC 3986 and SigV4 demand: everything but the unreserved characters."""
    return "".join(
        [
            char if char in _UNRESERVED else "".join([f"%{byte:02X}" for byte in char.encode()])
            for char in text
        ]
    )


def _hmac_sha256(key: bytes, message: bytes) -> bytes:
    """RFC 2104. The standard module ``hmac`` would load OpenSSL too."""
    if len(key) > _BLOCK_SIZE:
        key = sha256(key).digest()
    key = key.ljust(_BLOCK_SIZE, b"\0")
    inner = sha256(key.translate(_INNER_PAD) + message).digest()
    digest: bytes = sha256(key.translate(_OUTER_PAD) + inner).digest()
    return digest
