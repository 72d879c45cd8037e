"""botocore's chain of credential providers, with what botocore decides differently from the SDKs.

- Instance metadata is never asked through a proxy.
- AWS_SESSION_TOKEN comes before AWS_SECURITY_TOKEN.
- An MFA code is asked for only where a person can type it.
- Only sessions that cost a person an MFA code are shared with the AWS CLI.

botocore has no public names for three of these settings; ``tests/client/test_botocore_chain.py``
fails when one of them moves.
"""

from __future__ import annotations

import getpass
import os
import re
import sys
from collections.abc import Mapping
from typing import Any

import botocore.credentials
import botocore.httpsession
import botocore.utils

from . import exec_credential
from .cli_cache import CliCache
from .errors import ClientError
from .profiles import chain

# botocore's names for credentials that belong to this machine and not to a person.
CONTAINER, INSTANCE = "container-role", "iam-role"
# Credentials whose inputs are all in the cache's key (`sessions.Sessions`). Not among them: a
# process, whose answer can depend on anything, and a machine's metadata, since a home directory
# may be mounted on many machines.
_KEYED = frozenset(
    {
        "assume-role-with-web-identity",
        "config-file",
        "env",
        "login",
        "shared-credentials-file",
        "sso",
    }
)
# One of these settings has to say where a source profile gets its credentials from.
_KEYED_SOURCES = ("aws_access_key_id", "sso_session", "sso_start_url", "login_session")
_UNKEYED_SOURCES = ("credential_process", "web_identity_token_file")
_ROLE = "assume-role"
_TTY = "/dev/tty"
_REGION = re.compile(r"[a-z]+(?:-[a-z]+)+-[0-9]+", re.ASCII)


def resolver(session: Any, region: str) -> Any:
    """Return a `botocore.credentials.CredentialResolver` for the session's profile."""
    made = botocore.credentials.create_credential_resolver(session, region_name=region)
    profiles = session.full_config.get("profiles", {})
    profile = session.get_config_variable("profile") or "default"
    for provider in made.providers:
        _adjust(provider)
        if isinstance(provider, botocore.credentials.AssumeRoleProvider):
            provider._prompter = _ask_for_code
            if needs_code(profiles, profile):
                # Its key leaves out who asks; that is the price of asking the person once.
                provider.cache = CliCache()
            for source in provider._credential_sourcer._providers:
                _adjust(source)
    return made


def instance_region(session: Any) -> str:
    """Return the Region that the instance's metadata names; empty where there is none."""
    fetcher = botocore.utils.IMDSRegionProvider(session)._create_fetcher()
    _go_direct(fetcher)
    # botocore cuts the zone's letter off; a Local Zone (us-west-2-lax-1a) has more than that.
    found = _REGION.match(fetcher.retrieve_region() or "")
    return found[0] if found else ""


def is_keyed(method: str, profiles: Mapping[str, Mapping[str, str]], profile: str) -> bool:
    """Return whether the cache's key holds everything that these credentials depend on.

    Args:
        method: botocore's name for where they came from.
        profiles: the settings of every profile.
        profile: the name of the profile in force.
    """
    if method != _ROLE:
        return method in _KEYED
    names = chain(profiles, profile)
    last = names[-1]
    settings = profiles.get(last, {})
    if settings.get("source_profile", last) != last:
        return False  # the sources go round in a circle
    # One on the way may end the chain there: botocore then asks it, and no source behind it.
    if any(key in profiles.get(name, {}) for name in names for key in _UNKEYED_SOURCES):
        return False
    if "credential_source" in settings:
        return settings["credential_source"] == "Environment"
    return any(key in settings for key in _KEYED_SOURCES)


def needs_code(profiles: Mapping[str, Mapping[str, str]], profile: str) -> bool:
    """Return whether a person has to type an MFA code for a role of the profile or its sources."""
    return any("mfa_serial" in profiles.get(name, {}) for name in chain(profiles, profile))


def uses_instance(profiles: Mapping[str, Mapping[str, str]], profile: str) -> bool:
    """Return whether a profile assumes its role with the instance's own credentials."""
    return profiles.get(profile, {}).get("credential_source") == "Ec2InstanceMetadata"


def _adjust(provider: Any) -> None:
    if isinstance(provider, botocore.credentials.EnvProvider):
        provider._mapping["token"] = ["AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"]
    elif isinstance(provider, botocore.credentials.InstanceMetadataProvider):
        _go_direct(provider._role_fetcher)


def _go_direct(fetcher: Any) -> None:
    """Have a metadata fetcher ignore HTTP_PROXY, as the Go SDK does."""
    fetcher._session = botocore.httpsession.URLLib3Session(timeout=fetcher._timeout, proxies={})


def _ask_for_code(prompt: str) -> str:
    """Ask a person for an MFA code.

    Raises:
        ClientError: no person can answer; a prompt would wait for ever.
    """
    if exec_credential.is_interactive(os.environ.get("KUBERNETES_EXEC_INFO")) and _has_terminal():
        return getpass.getpass(prompt)
    raise ClientError(
        "the profile needs an MFA code, and there is no terminal to ask for it; run"
        " `aws-iam-authenticator token` once in a terminal: the session is kept until it ends"
    )


def _has_terminal() -> bool:
    try:
        os.close(os.open(_TTY, os.O_RDWR | getattr(os, "O_NOCTTY", 0)))
    except OSError:
        return sys.stdin is not None and sys.stdin.isatty()
    return True
