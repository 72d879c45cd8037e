"""Every setting of the server, as one table.

The fields of `Settings` hold the key, the flag, the default and the sentence from which
docs/settings.md and the help text are made. `authenticator.config` gathers their values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo

from authenticator.aws.arns import PARTITIONS, PrincipalArn
from authenticator.aws.sts_hosts import StsHost, regions_of, sts_hosts
from authenticator.modes import MODES, canonical_modes

ENVIRONMENT_PREFIX = "KUBERNETES_AWS_AUTHENTICATOR_"

# The mappings themselves stand in the same file, and are the business of the source MountedFile.
MAPPING_KEYS = ("mapRoles", "mapUsers", "mapAccounts")
# Before the cluster id, so that a token for another service called like a cluster does not open it.
AUDIENCE_PREFIX = "urn:k8s-aws:"
# Switches of the reference for what is always on here.
FEATURE_GATES = frozenset({"SSORoleMatch", "IAMIdentityMappingCRD", "ConfiguredInitDirectories"})


@dataclass(frozen=True, slots=True)
class Place:
    """Where a setting can be given.

    Attributes:
        key: its key in the config file, as documented; any case is read.
        flag: its flag, if it has one.
        top: the key stands at the top of the file and not under `server`.
        file_only: its value is a structure, which flags and variables cannot hold.
    """

    key: str
    flag: str | None = None
    top: bool = False
    file_only: bool = False

    @property
    def path(self) -> str:
        """The key with what it stands under."""
        return self.key if self.top else f"server.{self.key}"


def _items(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return [item for item in (item.strip() for item in value.split(",")) if item]


def _partition(value: str) -> str:
    if value not in PARTITIONS:
        raise ValueError(f"it is not one of {', '.join(sorted(PARTITIONS))}")
    return value


def _cluster_id(value: str) -> str:
    # It is sent to STS as the value of a header, whose signature does not tell one space from
    # several. `client.cluster` has the same rule.
    if not re.fullmatch(r"(?=.{1,256}\Z)[!-~]+(?: [!-~]+)*", value, re.ASCII):
        raise ValueError(
            "it must be 1 to 256 printable ASCII characters, with single spaces between words"
        )
    return value


def _account_ids(values: tuple[str, ...]) -> tuple[str, ...]:
    wrong = [value for value in values if not re.fullmatch(r"[0-9]{12}", value, re.ASCII)]
    if wrong:
        raise ValueError(f"{wrong[0]!r} is no account id of 12 digits; quote it in YAML")
    return values


def _principal(value: str) -> str:
    try:
        PrincipalArn.parse(value)
    except ValueError as error:
        raise ValueError(f"{value!r} cannot be used: {error}") from None
    return value


def _mode(value: str) -> str:
    # A mode that does not exist would reserve nothing, without a word.
    return canonical_modes([value])[0]


def _source_arn(value: str) -> str:
    if value and not re.fullmatch(r"arn:[a-z-]+:[a-z0-9-]+:[a-z0-9-]*:[0-9]{12}:[!-~]+", value):
        raise ValueError("it is no ARN of a resource in an account")
    return value


# HOST:PORT of a URL (RFC 3986, section 3.2), with an IPv6 address in brackets.
_ADDRESS_AND_PORT = re.compile(
    r"(?:\[(?P<address>[0-9A-Fa-f:.]+(?:%[\w.-]+)?)]|(?P<name>[A-Za-z0-9.-]*))"
    r":(?P<port>[1-9][0-9]{0,4})",
    re.ASCII,
)
_MAX_PORT = 65535


def _unbracketed(value: str) -> str:
    """Take an IPv6 address out of the brackets that it has in a URL."""
    inner = value.removeprefix("[").removesuffix("]")
    return inner if value == f"[{inner}]" and ":" in inner else value


def _address_and_port(value: str) -> str:
    found = _ADDRESS_AND_PORT.fullmatch(value)
    if value and (found is None or int(found["port"]) > _MAX_PORT):
        raise ValueError("it must be ADDRESS:PORT, with an IPv6 address in brackets: [::]:21364")
    return value


def _feature_gates(value: Any) -> Any:
    pairs = (
        dict(item.partition("=")[::2] for item in _items(value))
        if isinstance(value, str)
        else value
    )
    unknown = sorted(set(pairs) - FEATURE_GATES) if isinstance(pairs, Mapping) else []
    if unknown:
        raise ValueError(f"{unknown[0]} is not one of {', '.join(sorted(FEATURE_GATES))}")
    return pairs


def _lower_keys(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return [
        {str(key).lower(): item for key, item in entry.items()}
        if isinstance(entry, dict)
        else entry
        for entry in value
    ]


Host = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,253}[a-z0-9])?$")]
Region = Annotated[str, Field(pattern=r"^[a-z]{2,5}(-[a-z0-9]+){2,3}$")]
Verbosity = Literal["panic", "fatal", "error", "warning", "warn", "info", "debug", "trace"]
Items = Annotated[tuple[str, ...], BeforeValidator(_items)]
Port = Annotated[int, Field(ge=1, le=65535)]


def _prefixes(values: tuple[str, ...]) -> tuple[str, ...]:
    """Leave out the empty prefix, which reserves nothing in the reference."""
    return tuple(filter(None, values))


Prefixes = Annotated[tuple[str, ...], AfterValidator(_prefixes)]


class ReservedPrefixes(BaseModel):
    """The beginnings of usernames and groups that one source may not give."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    backendmode: Annotated[str, AfterValidator(_mode)]
    usernameprefixreservelist: Prefixes = ()
    groupprefixreservelist: Prefixes = ()

    @model_validator(mode="after")
    def _reserves_something(self) -> ReservedPrefixes:
        if not self.model_fields_set & {"usernameprefixreservelist", "groupprefixreservelist"}:
            raise ValueError("it needs usernamePrefixReserveList or groupPrefixReserveList")
        return self


def _lower_members(value: Any) -> Any:
    """Give every map in a structure its keys in lower case."""
    if isinstance(value, list):
        return [_lower_members(item) for item in value]
    if isinstance(value, dict):
        return {str(key).lower(): _lower_members(item) for key, item in value.items()}
    return value


def _issuer_url(value: str) -> str:
    # Without a port: the keys come from 443. A token's `iss` has to be this text byte for byte.
    if not re.fullmatch(
        r"(?=.{1,255}\Z)https://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(/[A-Za-z0-9._~-]+)*", value, re.ASCII
    ):
        raise ValueError(
            "it must be https://HOST[/PATH] as in the tokens: no port, query or last /"
        )
    return value


def _account_id(value: str) -> str:
    return _account_ids((value,))[0]


def _audiences(values: tuple[str, ...]) -> tuple[str, ...]:
    if not all(re.fullmatch(r"[!-~](?:[ -~]{0,998}[!-~])?", value, re.ASCII) for value in values):
        raise ValueError("each must be 1 to 1000 printable ASCII characters")
    return values


class WebIdentityIssuer(BaseModel):
    """An AWS account whose JWTs are taken."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Annotated[str, AfterValidator(_issuer_url)]
    accountid: Annotated[str, AfterValidator(_account_id)]
    keysfile: Path | None = None


class WebIdentitySettings(BaseModel):
    """Which JWTs of sts:GetWebIdentityToken are taken."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuers: tuple[WebIdentityIssuer, ...] = ()
    audiences: Annotated[Items, AfterValidator(_audiences)] = ()
    algorithms: Annotated[
        tuple[Literal["RS256", "ES384"], ...], BeforeValidator(_items), Field(min_length=1)
    ] = ("RS256",)
    maxageseconds: Annotated[int, Field(ge=60, le=3600)] = 900
    keysmaxageseconds: Annotated[int, Field(ge=3600, le=30 * 86400)] = 86400

    @field_validator("issuers")
    @classmethod
    def _listed_once(cls, issuers: tuple[WebIdentityIssuer, ...]) -> tuple[WebIdentityIssuer, ...]:
        if len({issuer.url for issuer in issuers}) < len(issuers):
            raise ValueError("an issuer is listed twice; a token's account must be one")
        return issuers


class Settings(BaseModel):
    """What the server was told. Frozen, and made by `authenticator.config.load` only."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False
    )

    cluster_id: Annotated[
        str, AfterValidator(_cluster_id), Place("clusterID", "--cluster-id", top=True)
    ] = Field(description="Tokens must be signed for this id; give each cluster its own.")
    feature_gates: Annotated[
        dict[str, bool],
        BeforeValidator(_feature_gates),
        Place("featureGates", "--feature-gates", top=True),
    ] = Field({}, description="Accepted from the reference: all of its gates are always on.")
    log_format: Annotated[Literal["text", "json"], Place("logFormat", "--log-format", top=True)] = (
        Field("text", description="How log and audit lines are written.")
    )
    log_verbosity: Annotated[Verbosity, Place("logVerbosity", "--log-verbosity", top=True)] = Field(
        "info", description="The least severe kind of log line that is written."
    )
    address: Annotated[str, AfterValidator(_unbracketed), Place("address", "--address")] = Field(
        "127.0.0.1",
        description="The address to listen on; `::` for every address of both families.",
    )
    port: Annotated[Port, Place("port", "--port")] = Field(
        21362,
        description="The TLS port of `/authenticate`, `/validate`, `/metrics`, probes.",
    )
    health_port: Annotated[Port, Place("healthPort", "--health-port")] = Field(
        21363, description="The plain port of `/healthz` and `/readyz`."
    )
    metrics_address: Annotated[
        str, AfterValidator(_address_and_port), Place("metricsAddress", "--metrics-address")
    ] = Field(
        "",
        description="`ADDRESS:PORT` of a plain port for `/metrics` alone, such as `[::]:21364`,"
        " which scrapers on other hosts can reach; empty: none.",
    )
    hostname: Annotated[str, AfterValidator(_unbracketed), Place("hostname", "--hostname")] = Field(
        "localhost", description="The host name in the certificate and in the webhook kubeconfig."
    )
    partition: Annotated[str, AfterValidator(_partition), Place("partition", "--partition")] = (
        Field("aws", description="The AWS partition whose STS hosts tokens may name.")
    )
    sts_hosts: Annotated[dict[Host, Region], Place("stsHosts", file_only=True)] = Field(
        {},
        description="Further STS hosts, each with its region, such as a VPC endpoint's own name.",
    )
    sts_regions: Annotated[Items, Place("stsRegions", "--sts-regions")] = Field(
        (),
        description="The regions whose STS hosts tokens may name; empty: all of the partition."
        " List those that this server can reach, if it cannot reach all.",
    )
    state_dir: Annotated[Path, Place("stateDir", "--state-dir")] = Field(
        Path("/var/aws-iam-authenticator"),
        description="Where the certificate, its key and the last good mappings are kept.",
    )
    generate_kubeconfig: Annotated[Path, Place("generateKubeconfig", "--generate-kubeconfig")] = (
        Field(
            Path("/etc/kubernetes/aws-iam-authenticator/kubeconfig.yaml"),
            description="Where the webhook kubeconfig for the API server is written.",
        )
    )
    kubeconfig_pregenerated: Annotated[
        bool, Place("kubeconfigPregenerated", "--kubeconfig-pregenerated")
    ] = Field(False, description="The webhook kubeconfig exists already (`init` made it).")
    kubeconfig: Annotated[str, Place("kubeconfig", "--kubeconfig")] = Field(
        "", description="How to reach the API server; empty: as a pod of the cluster."
    )
    master: Annotated[str, Place("master", "--master")] = Field(
        "", description="The API server's URL, instead of the kubeconfig's."
    )
    backend_mode: Annotated[
        Items, AfterValidator(canonical_modes), Place("backendMode", "--backend-mode")
    ] = Field(
        ("MountedFile",),
        description="The sources of mappings in their order:"
        " MountedFile, EKSConfigMap, CRD, DynamicFile.",
    )
    dynamic_backend_mode_path: Annotated[str, Place("dynamicBackendModePath")] = Field(
        "", description="A JSON file that names the sources, read again when it changes."
    )
    dynamic_file_path: Annotated[str, Place("dynamicfilepath")] = Field(
        "", description="The JSON file of the source DynamicFile."
    )
    dynamic_file_user_id_strict: Annotated[bool, Place("dynamicfileUserIDStrict")] = Field(
        False, description="Entries of the source DynamicFile apply to their `userid` only."
    )
    reserved_prefixes: Annotated[
        tuple[ReservedPrefixes, ...],
        BeforeValidator(_lower_keys),
        Place("reservedPrefixConfig", file_only=True),
    ] = Field(
        (),
        description="Beginnings of usernames and groups that a source may not give: a list of"
        " `{backendmode, usernamePrefixReserveList, groupPrefixReserveList}`, one list or both.",
    )
    system_name_sources: Annotated[
        Items, AfterValidator(canonical_modes), Place("systemNameSources")
    ] = Field(
        tuple(dict.fromkeys(MODES.values())),
        description="The sources that may grant usernames and groups that begin with `system:`.",
    )
    bootstrap_administrators: Annotated[
        tuple[Annotated[str, AfterValidator(_principal)], ...],
        BeforeValidator(_items),
        Place("bootstrapAdministrators"),
    ] = Field(
        (),
        description="ARNs that are `system:masters` whatever the sources say:"
        " the cluster's creator.",
    )
    allow_aws_auth_deletion: Annotated[bool, Place("allowAwsAuthDeletion")] = Field(
        False, description="The admission webhook lets the ConfigMap aws-auth be deleted."
    )
    admission_client_file: Annotated[str, Place("admissionClientFile")] = Field(
        "",
        description="A file with the client certificates that `/validate` accepts in addition to"
        " that of the state directory.",
    )
    admission_secret_file: Annotated[str, Place("admissionSecretFile")] = Field(
        "",
        description="A file with the secret of `/validate/SECRET`, for API servers that cannot show"
        " the client certificate of `/validate`; one on a line.",
    )
    anonymous_admission: Annotated[bool, Place("anonymousAdmission")] = Field(
        False,
        description="Answer AdmissionReviews of peers that show neither, with a warning: only until"
        " every API server does.",
    )
    break_glass_path: Annotated[str, Place("breakGlassPath")] = Field(
        "", description="A file of mappings that apply after all others, and may be absent."
    )
    scrubbed_accounts: Annotated[Items, AfterValidator(_account_ids), Place("scrubbedAccounts")] = (
        Field((), description="Accounts whose ids appear in no answer, log line or metric.")
    )
    ec2_describe_instances_role_arn: Annotated[str, Place("ec2DescribeInstancesRoleARN")] = Field(
        "", description="The role to assume to look up the names of EC2 instances."
    )
    source_arn: Annotated[str, AfterValidator(_source_arn), Place("sourceARN")] = Field(
        "", description="Sent when that role is assumed, against the confused deputy."
    )
    ec2_describe_instances_qps: Annotated[
        float, Field(gt=0), Place("ec2DescribeInstancesQps", "--ec2-describeInstances-qps")
    ] = Field(15.0, description="Calls of ec2:DescribeInstances a second, at most.")
    ec2_describe_instances_burst: Annotated[
        int, Field(ge=1), Place("ec2DescribeInstancesBurst", "--ec2-describeInstances-burst")
    ] = Field(5, description="How many of those calls may come at once.")
    sts_calls_per_second: Annotated[
        float, Field(gt=0), Place("stsCallsPerSecond", "--sts-calls-per-second")
    ] = Field(
        500.0,
        description="Calls of STS a second, at most; STS allows 600 for an account and Region.",
    )
    verdict_seconds: Annotated[float, Field(ge=0, le=900), Place("verdictSeconds")] = Field(
        120.0, description="How long what STS said of one token is not asked again."
    )
    degraded_seconds: Annotated[float, Field(ge=0, le=900), Place("degradedSeconds")] = Field(
        300.0,
        description="How much longer it counts while STS cannot be asked; 0 for not at all.",
    )
    web_identity: Annotated[
        WebIdentitySettings,
        BeforeValidator(_lower_members),
        Place("webIdentity", file_only=True),
    ] = Field(
        WebIdentitySettings(),
        description="The AWS accounts whose JWTs (sts:GetWebIdentityToken) log in without STS:"
        " `{issuers: [{url, accountID, keysFile}], audiences, algorithms, maxAgeSeconds,"
        " keysMaxAgeSeconds}` ([guide](web-identity.md#settings)); none without issuers.",
    )
    workers: Annotated[int, Field(ge=1, le=64), Place("workers", "--workers")] = Field(
        2, description="Processes that answer reviews."
    )

    @field_validator("sts_regions")
    @classmethod
    def _regions_exist(cls, regions: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        partition = info.data.get("partition")
        # A partition that does not exist is a problem of its own.
        unknown = set(regions) - regions_of(partition) if partition else set()
        if unknown:
            raise ValueError(f"{min(unknown)!r} is not a region of the partition {partition}")
        return regions

    @property
    def metrics_endpoint(self) -> tuple[str, int] | None:
        """The address and the port of `metrics_address`; without an address, every one."""
        found = _ADDRESS_AND_PORT.fullmatch(self.metrics_address)
        return found and (found["address"] or found["name"] or "::", int(found["port"]))

    @property
    def audiences(self) -> frozenset[str]:
        """The audiences that a JWT may have: as set, or this cluster's own."""
        return frozenset(self.web_identity.audiences or (f"{AUDIENCE_PREFIX}{self.cluster_id}",))

    @property
    def hosts(self) -> Mapping[str, StsHost]:
        """The STS hosts that tokens may name, by name."""
        further = [StsHost(name, region, self.partition) for name, region in self.sts_hosts.items()]
        return sts_hosts(self.partition, further, self.sts_regions)


def variable(name: str) -> str:
    """The environment variable of the setting whose field is `name`."""
    return ENVIRONMENT_PREFIX + name.upper()


def places() -> Iterator[tuple[str, FieldInfo, Place]]:
    """Every setting: the name of its field, the field, and where it can be given."""
    for name, field in Settings.model_fields.items():
        yield name, field, next(item for item in field.metadata if isinstance(item, Place))
