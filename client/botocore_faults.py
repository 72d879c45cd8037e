"""What botocore's errors mean to the person at the keyboard, and what to do about each."""

import configparser
import os
import re
import shlex
import time
from collections.abc import Callable
from typing import Any

from botocore import exceptions
from botocore.exceptions import BotoCoreError
from botocore.exceptions import ClientError as AwsError

from . import refusals
from .profiles import chain, config_path, credentials_path, unknown

# What botocore lets through besides its own errors: files that are missing, processes that print
# rubbish, refreshed credentials that have expired, a prompt without a terminal.
FOREIGN_ERRORS = (BotoCoreError, AwsError, OSError, ValueError, KeyError, RuntimeError, EOFError)

# The first type that fits gives the cure.
_CURES: tuple[tuple[type[BaseException], str], ...] = (
    (exceptions.LoginError, "run `aws login --profile {profile}`"),
    (exceptions.PartialCredentialsError, "complete profile {profile} or the environment"),
    (exceptions.ParamValidationError, "correct that flag or setting"),
    (exceptions.MissingDependencyException, "install what it names"),
    (exceptions.ProxyConnectionError, "check HTTPS_PROXY and NO_PROXY"),
    (exceptions.SSLError, "check AWS_CA_BUNDLE, or what intercepts TLS on the way"),
    (exceptions.ConnectionError, "check the network, HTTPS_PROXY and the region"),
    (exceptions.HTTPClientError, "check the network, HTTPS_PROXY and the region"),
    (exceptions.MetadataRetrievalError, "check that instance or container metadata is reachable"),
    (exceptions.CredentialRetrievalError, "run the profile's credential source by hand"),
    (EOFError, "run this in a terminal, where it can ask for the MFA code"),
)
_DEFAULT_CURE = "check profile {profile} in {config} and {credentials}"

# A proxy's user and password, which botocore hides for some schemes only; a header's value.
_SECRETS = re.compile(r"(?<=//)[^/\s]\S*(?=@)|(?<=Invalid header value ).*", re.DOTALL)

_METHODS = {
    "env": "the environment",
    "assume-role": "the role of profile {profile!r}",
    "assume-role-with-web-identity": "the web identity token",
    "sso": "the SSO session of profile {profile!r}",
    "shared-credentials-file": "profile {profile!r} in the shared credentials file",
    "config-file": "profile {profile!r} in the shared config file",
    "login": "the login session of profile {profile!r}",
    "custom-process": "the credential_process of profile {profile!r}",
    "container-role": "the container's metadata",
    "iam-role": "the instance's metadata",
}


def profile_of(session: Any) -> str:
    """Return the name of the profile in force."""
    return session.get_config_variable("profile") or "default"


def source(method: str, profile: str) -> str:
    """Say where credentials came from, given botocore's name for it."""
    return _METHODS.get(method, method).format(profile=profile)


def none_found(profile: str) -> str:
    """Say where credentials were looked for in vain."""
    return (
        "no AWS credentials found; looked at AWS_ACCESS_KEY_ID, AWS_WEB_IDENTITY_TOKEN_FILE,"
        f" profile {profile!r} in {credentials_path(os.environ)} and {config_path(os.environ)},"
        " and the container's and instance's metadata; set AWS_PROFILE or run `aws configure`"
    )


def no_zone(profile: str) -> str:
    """Say that a credential source gave an end without a time zone."""
    return (
        f"the credential source of profile {profile!r} gives an Expiration without a time zone;"
        " make it end in Z, such as 2031-01-31T08:00:00Z"
    )


def explain(error: BaseException, *, doing: str, session: Any) -> str:
    """Say what failed, why, and what to do.

    Args:
        error: one of `FOREIGN_ERRORS`.
        doing: what was attempted, as a verb and its object.
        session: the botocore session that raised it.
    """
    for kind, describe in _DESCRIBED:
        if isinstance(error, kind):
            return describe(error, doing, session)
    return f"cannot {doing}: {_reason(error)}; {_cure(error, profile_of(session))}"


def _unknown_profile(error: Any, _doing: str, session: Any) -> str:
    return unknown(
        error.kwargs["profile"],
        session.available_profiles,
        os.environ,
        explicit=session.instance_variables().get("profile") is not None,
    )


def _no_login(error: Any, doing: str, session: Any) -> str:
    profile = shlex.quote(_profile_of_login(session))
    return f"cannot {doing}: {_reason(error)}; run `aws sso login --profile {profile}`"


def _profile_of_login(session: Any) -> str:
    """Return the profile that has the SSO settings: the one in force, or one of its sources."""
    profiles = session.full_config.get("profiles", {})
    own: str = profile_of(session)
    for name in chain(profiles, own):
        if "sso_session" in profiles.get(name, {}) or "sso_start_url" in profiles.get(name, {}):
            return name
    return own


def _unreadable_path(error: Any, doing: str, session: Any) -> str:
    settings = session.full_config.get("profiles", {}).get(profile_of(session), {})
    named = {
        "AWS_WEB_IDENTITY_TOKEN_FILE": os.environ.get("AWS_WEB_IDENTITY_TOKEN_FILE"),
        "web_identity_token_file": settings.get("web_identity_token_file"),
    }
    owners = [name for name, path in named.items() if path and path == error.filename]
    cure = f"correct {owners[0]}" if owners else _cure(error, profile_of(session))
    return f"cannot {doing}: cannot read {error.filename}: {error.strerror}; {cure}"


def _unreadable(error: Any, _doing: str, _session: Any) -> str:
    # The parser's own words quote the line, which may hold a secret.
    cause = error.kwargs.get("error")
    line = getattr(cause, "lineno", None)
    if line is None and isinstance(cause, configparser.ParsingError):
        line = cause.errors[0][0]
    place = f" (line {line})" if line else ""
    return f"cannot read the AWS file {error.kwargs['path']}{place}; correct its syntax"


def _refused(error: Any, doing: str, session: Any) -> str:
    answer = error.response.get("Error", {})
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    refusal = refusals.describe(
        error.operation_name,
        answer.get("Code", "unknown"),
        answer.get("Message", ""),
        profile=profile_of(session),
        date=headers.get("date", ""),
        now=time.time(),
    )
    return f"cannot {doing}: {refusal}"


_DESCRIBED: tuple[tuple[type[BaseException], Callable[[Any, str, Any], str]], ...] = (
    (exceptions.ProfileNotFound, _unknown_profile),
    (exceptions.ConfigParseError, _unreadable),
    (exceptions.SSOError, _no_login),
    (exceptions.TokenRetrievalError, _no_login),
    (AwsError, _refused),
    (FileNotFoundError, _unreadable_path),
    (PermissionError, _unreadable_path),
)


def _reason(error: BaseException) -> str:
    text = str(error) if isinstance(error, BotoCoreError) else f"{type(error).__name__}: {error}"
    return _SECRETS.sub("***", text)


def _cure(error: BaseException, profile: str) -> str:
    cure = next((cure for kind, cure in _CURES if isinstance(error, kind)), _DEFAULT_CURE)
    return cure.format(
        profile=shlex.quote(profile),
        config=config_path(os.environ),
        credentials=credentials_path(os.environ),
    )
