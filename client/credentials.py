"""Credentials that are ready to sign with: no other program, file format or service is needed.

The order is botocore's: the environment, unless a profile was asked for by name; then the shared
files. Where a profile asks for more than keys (a role, SSO, a process), the answer is None and
`botocore_credentials` takes over.
"""

from .errors import ClientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from .profiles import Section, SharedFiles

# Settings that may stand beside keys without changing which credentials the profile yields. Any
# other setting sends the profile to botocore.
_HARMLESS = frozenset(
    {
        "aws_access_key_id",
        "aws_account_id",
        "aws_secret_access_key",
        "aws_security_token",
        "aws_session_token",
        "ca_bundle",
        "cli_auto_prompt",
        "cli_binary_format",
        "cli_follow_urlparam",
        "cli_history",
        "cli_pager",
        "cli_timestamp_format",
        "defaults_mode",
        "ec2_metadata_service_endpoint",
        "ec2_metadata_service_endpoint_mode",
        "ec2_metadata_v1_disabled",
        "endpoint_url",
        "ignore_configured_endpoint_urls",
        "max_attempts",
        "metadata_service_num_attempts",
        "metadata_service_timeout",
        "output",
        "parameter_validation",
        "region",
        "request_checksum_calculation",
        "response_checksum_validation",
        "retry_mode",
        "s3",
        "s3api",
        "sdk_ua_app_id",
        "services",
        "sts_regional_endpoints",
        "tcp_keepalive",
        "use_dualstack_endpoint",
        "use_fips_endpoint",
        "x_principal_arn",
        "x_security_token_expires",
    }
)


class Credentials:
    """An access key, its secret, and for temporary ones the session token and the end.

    ``expiration`` is in seconds since the epoch; None means unknown or never. ``source`` says in
    a few words where they came from, for messages. ``keep`` tells whether the cache may have them.
    ``region`` is the Region of the instance that they come from, empty for all others.
    """

    __slots__ = (
        "access_key",
        "expiration",
        "keep",
        "region",
        "secret_key",
        "session_token",
        "source",
    )

    def __init__(
        self,
        access_key: str,
        secret_key: str,
        session_token: str | None = None,
        *,
        expiration: float | None = None,
        source: str,
        keep: bool = True,
        region: str = "",
    ) -> None:
        if not access_key:
            raise ClientError(f"the access key id from {source} is empty; set it, or remove it")
        # An access key is one part of a slash-separated scope; quotes are the usual mistake.
        if not (access_key.isascii() and access_key.replace("_", "").isalnum()):
            raise ClientError(
                f"the access key id from {source} holds characters that no access key id has;"
                " remove quotes and spaces around it"
            )
        # It is a header too, and the HTTP library's complaint of a line break quotes it.
        if session_token and not (session_token.isascii() and session_token.isprintable()):
            raise ClientError(
                f"the session token from {source} holds characters that no session token has;"
                " remove line breaks around it"
            )
        if not secret_key:
            raise ClientError(f"the secret access key from {source} is empty; set it")
        if secret_key != secret_key.strip() or not secret_key.isprintable():
            raise ClientError(
                f"the secret access key from {source} has white space around it or a line break in"
                " it; remove that, or every signature is refused"
            )
        self.access_key = access_key
        self.secret_key = secret_key
        self.session_token = session_token or None
        self.expiration = expiration
        self.source = source
        self.keep = keep
        self.region = region

    def __repr__(self) -> str:
        return f"<Credentials from {self.source}>"


def ready(
    environ: "Mapping[str, str]", files: "SharedFiles", *, profile: str, explicit: bool
) -> Credentials | None:
    """Return credentials that need nothing but reading, or None where botocore has to work.

    Args:
        environ: the environment variables.
        files: the shared credentials and config files.
        profile: the name of the profile in force.
        explicit: whether the caller named it, which leaves the environment's credentials out;
            AWS_PROFILE does not.

    Raises:
        ClientError: an access key id stands somewhere without its secret.
    """
    if not explicit:
        if environ.get("AWS_ACCESS_KEY_ID"):
            return _from_environment(environ)
        if environ.get("AWS_WEB_IDENTITY_TOKEN_FILE"):
            return None
    return _from_files(profile, files)


def _from_environment(environ: "Mapping[str, str]") -> Credentials | None:
    secret_key = environ.get("AWS_SECRET_ACCESS_KEY")
    if not secret_key:
        raise ClientError(
            "AWS_ACCESS_KEY_ID is set but AWS_SECRET_ACCESS_KEY is not; set both or neither"
        )
    expiration = None
    if end := environ.get("AWS_CREDENTIAL_EXPIRATION"):
        expiration = seconds(end)
        if expiration is None:
            return None
    return Credentials(
        environ["AWS_ACCESS_KEY_ID"],
        secret_key,
        environ.get("AWS_SESSION_TOKEN") or environ.get("AWS_SECURITY_TOKEN"),
        expiration=expiration,
        source="the environment",
    )


def _from_files(profile: str, files: "SharedFiles") -> Credentials | None:
    settings = files.merged(profile)
    if settings is None or not settings.keys() <= _HARMLESS:
        return None
    for file, profiles in (("credentials", files.credentials), ("config", files.config)):
        section = profiles.get(profile, {})
        if "aws_access_key_id" in section:
            return _from_section(section, f"profile {profile!r} in the shared {file} file")
    return None


def _from_section(section: "Section", source: str) -> Credentials | None:
    access_key = section["aws_access_key_id"]
    secret_key = section.get("aws_secret_access_key")
    session_token = section.get("aws_security_token", section.get("aws_session_token", ""))
    if secret_key is None:
        raise ClientError(
            f"{source} has aws_access_key_id but no aws_secret_access_key; set both or neither"
        )
    if (
        not isinstance(access_key, str)
        or not isinstance(secret_key, str)
        or not isinstance(session_token, str)
    ):
        return None
    return Credentials(access_key, secret_key, session_token, source=source)


def seconds(text: str) -> float | None:
    """Return an ISO 8601 time with a zone as seconds since the epoch, or None."""
    from datetime import datetime  # noqa: PLC0415 - a millisecond that few need to spend

    try:
        end = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return end.timestamp() if end.tzinfo else None
