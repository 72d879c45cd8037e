"""Outbound web identity federation: the JWTs that STS issues, and the issuer of each account.

    with AwsDouble([dev]) as aws:
        issuer = aws.federation.enable("111122223333", org_id="o-a1b2c3d4e5")
        issuer.url                                       # https://<uuid>.tokens.sts.global.api.aws
        aws.federation.mint(dev, "urn:k8s-aws:demo")     # what STS would answer, without a call
        claims = aws.federation.claims(dev, "urn:k8s-aws:demo")
        issuer.sign({**claims, "exp": 1})                # what a forger with the key could make
        issuer.rotate()                                  # a new key signs, the old one stays known
        aws.issuer_faults.start(WrongKeys("oct"))        # what goes wrong at the issuers' hosts

Discovery and keys are served at the issuer's host, behind the same proxy.
Source: AWS IAM User Guide, "Understanding token claims"; STS API Reference, "GetWebIdentityToken".
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from dev.aws_double import jose
from dev.aws_double.hosts import issuer_host
from dev.aws_double.jose import Algorithm, SigningKey
from dev.aws_double.principals import Principal

NAMESPACE = "https://sts.amazonaws.com/"
_DEFAULT_ORG = "o-a1b2c3d4e5"
_DEFAULT_OU_PATH = "o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/"


class Issuer:
    """The issuer of one account: its keys, and what is published of them. Safe from any thread.

    Args:
        account: 12 digits.
        partition: such as `aws`.
        org_id: of the organisation that the account belongs to, None outside one.
        ou_path: the account's place in the organisation, None outside one.

    Attributes:
        host: `<uuid>.tokens.sts.global.api.aws`.
        enabled: whether STS issues tokens; keys are published either way.
    """

    def __init__(
        self, account: str, *, partition: str, org_id: str | None, ou_path: str | None
    ) -> None:
        self.account = account
        self.partition = partition
        self.org_id = org_id
        self.ou_path = ou_path
        self.enabled = True
        identifier = uuid.uuid5(uuid.NAMESPACE_URL, f"{partition}/{account}")
        self.host = issuer_host(partition, str(identifier))
        self._keys: tuple[SigningKey, ...] = ()
        self._hidden: frozenset[str] = frozenset()
        for algorithm in ("RS256", "ES384"):
            self.rotate(algorithm)

    @property
    def url(self) -> str:
        """The issuer as the `iss` claim has it."""
        return f"https://{self.host}"

    def rotate(self, algorithm: Algorithm = "RS256", *, publish: bool = True) -> str:
        """Sign with a new key from now on, and give its `kid`. Keys that are known stay published.

        Args:
            algorithm: which of the two keys to replace.
            publish: whether the new key is published at once, or only with `publish()`.
        """
        number = sum(1 for key in self._keys if key.algorithm == algorithm)
        key = jose.generate(algorithm, number)
        if not publish:
            self._hidden |= {key.kid}
        self._keys += (key,)
        return key.kid

    def publish(self) -> None:
        """Publish every key that `rotate(publish=False)` or `withdraw` kept back."""
        self._hidden = frozenset()

    def withdraw(self, kid: str) -> None:
        """Publish a key no longer."""
        self._hidden |= {kid}

    def key(self, algorithm: Algorithm = "RS256") -> SigningKey:
        """Give the key that signs now."""
        return [key for key in self._keys if key.algorithm == algorithm][-1]

    def jwks(self) -> dict[str, list[jose.Jwk]]:
        """Give the key document."""
        return {"keys": [key.jwk() for key in self._keys if key.kid not in self._hidden]}

    def discovery(self) -> dict[str, object]:
        """Give the discovery document."""
        return {
            "claims_supported": ["sub", "iss", "aud", "exp", "iat", "jti", NAMESPACE],
            "id_token_signing_alg_values_supported": ["RS256", "ES384"],
            "issuer": self.url,
            "jwks_uri": f"{self.url}/.well-known/jwks.json",
            "subject_types_supported": ["public"],
        }

    def sign(
        self,
        claims: Mapping[str, object],
        algorithm: Algorithm = "RS256",
        *,
        header: Mapping[str, object] | None = None,
    ) -> str:
        """Give a JWT of any claims, signed with the key in use.

        Args:
            claims: taken as they are.
            algorithm: whose key signs.
            header: replaces members of the header; it may lie about the algorithm.
        """
        key = self.key(algorithm)
        usual = {"alg": algorithm, "kid": key.kid, "typ": "JWT"}
        return jose.compact(key, {**usual, **(header or {})}, claims)


@dataclass(frozen=True, slots=True)
class Permission:
    """The part of GetWebIdentityToken that IAM policy allows a principal.

    Attributes:
        audiences: `sts:IdentityTokenAudience`; None for any.
        longest: `sts:DurationSeconds`.
        algorithms: `sts:SigningAlgorithm`.
        tags: `sts:TagGetWebIdentityToken`.
    """

    audiences: frozenset[str] | None = None
    longest: int = 3600
    algorithms: frozenset[str] = frozenset({"RS256", "ES384"})
    tags: bool = True


class Federation:
    """The issuers of all accounts, and who may ask for tokens. Safe from any thread.

    Args:
        clock: seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._issuers: dict[str, Issuer] = {}
        self._permissions: dict[str, Permission | None] = {}

    def enable(
        self,
        account: str,
        *,
        partition: str = "aws",
        org_id: str | None = _DEFAULT_ORG,
        ou_path: str | None = _DEFAULT_OU_PATH,
    ) -> Issuer:
        """Have STS issue tokens for an account, and give its issuer.

        An account that has been enabled before keeps its issuer and keys; organisation and
        organisational unit are replaced.
        """
        issuer = self._issuers.get(account)
        if issuer is None:
            issuer = Issuer(account, partition=partition, org_id=org_id, ou_path=ou_path)
            self._issuers[account] = issuer
        issuer.enabled, issuer.org_id, issuer.ou_path = True, org_id, ou_path
        return issuer

    def disable(self, account: str) -> None:
        """Issue no more tokens for an account; those that were issued stay valid."""
        self._issuers[account].enabled = False

    def find(self, account: str) -> Issuer | None:
        """Give the issuer of an account, None if it never had one."""
        return self._issuers.get(account)

    def find_host(self, host: str) -> Issuer | None:
        """Give the issuer that a host belongs to."""
        return next((one for one in list(self._issuers.values()) if one.host == host), None)

    def permit(self, subject: str, permission: Permission | None) -> None:
        """Limit what a principal may ask for; None denies GetWebIdentityToken.

        Args:
            subject: the ARN of a user, or of a role with its path (`Principal.subject`).
            permission: replaces an earlier one.
        """
        self._permissions[subject] = permission

    def permission(self, subject: str) -> Permission | None:
        """Give what a principal may ask for: everything, unless `permit` said otherwise."""
        return self._permissions.get(subject, Permission())

    def claims(
        self,
        principal: Principal,
        audience: str | Sequence[str],
        *,
        seconds: int = 900,
        region: str = "eu-west-1",
        request_tags: Mapping[str, str] | None = None,
    ) -> dict[str, object]:
        """Give the claims of a token for a principal.

        Args:
            principal: who asks; its account must have an issuer.
            audience: a text, or several.
            seconds: from `iat` to `exp`.
            region: where STS was asked.
            request_tags: chosen by the caller.

        Raises:
            KeyError: federation was never enabled for the account.
        """
        issuer = self._issuers[principal.account]
        now = int(self._clock())
        details: dict[str, object] = {
            "aws_account": principal.account,
            "source_region": region,
            "principal_id": principal.subject,
            **principal.claims,
        }
        if issuer.org_id is not None:
            details["org_id"] = issuer.org_id
        if issuer.ou_path is not None:
            details["ou_path"] = [issuer.ou_path]
        if principal.expires_at != float("inf"):
            ends = datetime.fromtimestamp(principal.expires_at, timezone.utc)
            details["original_session_exp"] = ends.strftime("%Y-%m-%dT%H:%M:%SZ")
        if request_tags:
            details["request_tags"] = dict(request_tags)
        return {
            "iss": issuer.url,
            "aud": audience if isinstance(audience, str) else list(audience),
            "sub": principal.subject,
            "iat": now,
            "exp": now + seconds,
            "jti": str(uuid.uuid4()),
            NAMESPACE: details,
        }

    def mint(
        self,
        principal: Principal,
        audience: str | Sequence[str],
        *,
        algorithm: Algorithm = "RS256",
        seconds: int = 900,
        region: str = "eu-west-1",
        request_tags: Mapping[str, str] | None = None,
    ) -> str:
        """Give a token as STS would issue it. Raises KeyError as `claims` does."""
        claims = self.claims(
            principal, audience, seconds=seconds, region=region, request_tags=request_tags
        )
        return self._issuers[principal.account].sign(claims, algorithm)
