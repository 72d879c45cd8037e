"""Settings: flags over environment over file, and every problem at once."""

from pathlib import Path

import pytest

from authenticator.config import load
from authenticator.errors import ConfigError
from authenticator.settings import Settings, WebIdentitySettings, places, variable

# As the reference documents it, keys in its own spelling.
REFERENCE = """
clusterID: my-dev-cluster.example.com
server:
  port: 21362
  stateDir: /var/aws-iam-authenticator/
  generateKubeconfig: /etc/kubernetes/aws-iam-authenticator/kubeconfig.yaml
  address: 0.0.0.0
  hostname: localhost
  ec2DescribeInstancesRoleARN: arn:aws:iam::000000000000:role/DescribeInstancesRole
  ec2DescribeInstancesQps: 15
  ec2DescribeInstancesBurst: 5
  sourceARN: arn:aws:eks:us-west-2:000000000000:cluster/x
  scrubbedAccounts:
  - "111122223333"
  - 022233334444
  backendMode:
  - MountedFile
  - CRD
  dynamicfilepath: /x
  dynamicfileUserIDStrict: true
  dynamicBackendModePath: /y
  reservedPrefixConfig:
  - backendmode: DynamicFile
    usernamePrefixReserveList: ["eks:", "system:"]
  mapRoles:
  - roleARN: arn:aws:iam::000000000000:role/KubernetesAdmin
    username: kubernetes-admin
    groups: [system:masters]
  mapUsers: []
  mapAccounts: ["012345678901"]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.yaml"


def test_the_references_config_file_loads_unchanged(file: Path) -> None:
    file.write_text(REFERENCE)
    loaded = load({}, {}, file)
    assert loaded.warnings == ()
    settings = loaded.settings
    assert settings.cluster_id == "my-dev-cluster.example.com"
    assert settings.address == "0.0.0.0"
    assert settings.backend_mode == ("MountedFile", "CRD")
    assert settings.scrubbed_accounts == ("111122223333", "022233334444")
    assert settings.dynamic_file_user_id_strict
    assert settings.reserved_prefixes[0].backendmode == "DynamicFile"
    assert settings.reserved_prefixes[0].usernameprefixreservelist == ("eks:", "system:")


def test_flags_win_over_the_environment_and_that_over_the_file(file: Path) -> None:
    file.write_text("clusterID: file\nserver: {port: 1, hostname: file, address: file}\n")
    environment = {variable("port"): "2", variable("hostname"): "environment"}
    settings = load({"port": "3", "hostname": None}, environment, file).settings
    assert (settings.port, settings.hostname, settings.address) == (3, "environment", "file")


def test_keys_are_read_in_any_case(file: Path) -> None:
    file.write_text("CLUSTERid: c\nSERVER: {PORT: 5, statedir: /x}\n")
    settings = load({}, {}, file).settings
    assert (settings.port, settings.state_dir) == (5, Path("/x"))


@pytest.mark.parametrize(
    ("modes", "named"),
    [
        ("MountedFile,EKSConfigMap", ("MountedFile", "EKSConfigMap")),
        ("File, ConfigMap", ("MountedFile", "EKSConfigMap")),
        ("CRD", ("CRD",)),
    ],
)
def test_backend_modes_as_one_text_and_under_their_old_names(
    modes: str, named: tuple[str, ...]
) -> None:
    assert load({"cluster_id": "c", "backend_mode": modes}, {}, None).settings.backend_mode == named


@pytest.mark.parametrize("modes", ["", "Files", "File,MountedFile", "CRD,CRD"])
def test_backend_modes_that_are_refused(modes: str) -> None:
    with pytest.raises(ConfigError, match="--backend-mode"):
        load({"cluster_id": "c", "backend_mode": modes}, {}, None)


def test_only_the_hosts_of_chosen_regions_count() -> None:
    """Where one region's endpoint can be reached, forgeries for 140 other hosts cost logins."""
    given = {"cluster_id": "c", "sts_regions": "eu-west-1"}
    hosts = load(given, {}, None).settings.hosts
    assert {host.region for host in hosts.values()} == {"eu-west-1"}
    assert "sts.eu-west-1.amazonaws.com" in hosts
    # The global endpoint is signed for us-east-1.
    more = {**given, "sts_regions": "us-east-1"}
    assert "sts.amazonaws.com" in load(more, {}, None).settings.hosts
    assert len(load({"cluster_id": "c"}, {}, None).settings.hosts) > 100


def test_hosts_that_are_listed_count_whatever_the_regions(file: Path) -> None:
    file.write_text(
        "clusterID: c\nserver:\n  stsRegions: [eu-west-1]\n"
        "  stsHosts: {vpce-1.sts.us-west-2.vpce.amazonaws.com: us-west-2}\n"
    )
    hosts = load({}, {}, file).settings.hosts
    assert "vpce-1.sts.us-west-2.vpce.amazonaws.com" in hosts
    assert "sts.us-west-2.amazonaws.com" not in hosts


@pytest.mark.parametrize("region", ["eu-west-9", "cn-north-1", "EU-WEST-1"])
def test_a_region_that_is_not_of_the_partition_is_refused(region: str) -> None:
    with pytest.raises(ConfigError, match=r"--sts-regions: .* not a region of the partition aws"):
        load({"cluster_id": "c", "sts_regions": region}, {}, None)


def test_every_problem_is_told_with_its_place(file: Path) -> None:
    file.write_text("server: {port: x, partition: aws-mars, scrubbedAccounts: ['1']}\n")
    with pytest.raises(ConfigError) as caught:
        load({"log_format": "xml"}, {variable("workers"): "0"}, file)
    problems = caught.value.problems
    assert len(problems) == 6
    for place in (
        "no clusterID is set",
        f"{file}: server.port: ",
        f"{file}: server.partition: ",
        f"{file}: server.scrubbedAccounts: ",
        f"environment variable {variable('workers')}: ",
        "flag --log-format: ",
    ):
        assert sum(problem.startswith(place) for problem in problems) == 1, place


def test_an_unknown_key_is_warned_of_with_the_nearest(file: Path) -> None:
    file.write_text("clusterID: c\ngarbage: d\nserver: {prot: 1, hostnme: x, mapRole: []}\n")
    warnings = load({}, {}, file).warnings
    assert [warning.partition("; ")[2] for warning in warnings] == [
        "",
        "did you mean port?",
        "did you mean hostname?",
        "did you mean mapRoles?",
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("clusterID: [", ": line "),
        ("- a", "must be a YAML map"),
        ("clusterID: c\nserver: 5", "server must be a map"),
        ("clusterID: c\nclusterid: d", "given twice"),
        ("clusterID: a  b", "printable ASCII"),
        ("clusterID: c\nserver: {stsHosts: {'a b': us-east-1}}", "stsHosts[a b]"),
        ("clusterID: c\nserver: {stsHosts: {a.b: '../x'}}", "stsHosts[a.b]"),
    ],
)
def test_files_that_are_refused(file: Path, text: str, reason: str) -> None:
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load({}, {}, file)
    assert any(reason in problem and str(file) in problem for problem in caught.value.problems)


def test_a_file_that_is_not_there_is_the_only_error(file: Path) -> None:
    """It was followed by "no clusterID is set", which the file may well set."""
    with pytest.raises(ConfigError) as caught:
        load({}, {}, file)
    assert caught.value.problems == (f"{file}: cannot be read: No such file or directory",)


def test_a_value_is_quoted_as_the_user_wrote_it(file: Path) -> None:
    """`EKSConfigmap2` was quoted as `eKSConfigmap2`."""
    file.write_text("clusterID: c\nserver: {backendMode: [EKSConfigmap2]}\n")
    with pytest.raises(ConfigError, match="backendMode: EKSConfigmap2 given where one of"):
        load({}, {}, file)


@pytest.mark.parametrize("gates", ["SSORoleMatch=true,IAMIdentityMappingCRD=false", ""])
def test_the_references_feature_gates_are_accepted(gates: str) -> None:
    assert load({"cluster_id": "c", "feature_gates": gates}, {}, None)


def test_every_setting_says_what_it_is() -> None:
    for name, field, place in places():
        assert (field.description or "").endswith("."), name
        assert place.key
    assert len({place.key.lower() for _, _, place in places()}) == len(Settings.model_fields)


@pytest.mark.parametrize(
    "line",
    [
        "sourceARN: cluster/x",
        "reservedPrefixConfig: [{backendmode: DynamikFile, usernamePrefixReserveList: [a]}]",
        "reservedPrefixConfig: [{backendmode: CRD}]",
    ],
    ids=[
        "a source without account",
        "a guard of no source",
        "a guard against nothing",
    ],
)
def test_what_would_fail_at_a_login_fails_at_the_start(tmp_path: Path, line: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(f"clusterID: x\nserver:\n  {line}\n")
    with pytest.raises(ConfigError, match=line.partition(":")[0]):
        load({}, {}, file)


def test_an_empty_prefix_reserves_nothing_as_in_the_reference(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    guard = "{backendmode: CRD, usernamePrefixReserveList: ['', a], groupPrefixReserveList: ['']}"
    file.write_text(f"clusterID: x\nserver:\n  reservedPrefixConfig: [{guard}]\n")
    (reserved,) = load({}, {}, file).settings.reserved_prefixes
    assert reserved.usernameprefixreservelist == ("a",)
    assert reserved.groupprefixreservelist == ()


def test_an_empty_server_is_a_server_without_settings(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("clusterID: x\nserver:\n")
    assert load({}, {}, file).settings == load({"cluster_id": "x"}, {}, None).settings


@pytest.mark.parametrize("second", ["server", "Server"])
def test_two_maps_of_settings_are_refused(tmp_path: Path, second: str) -> None:
    """One of them would be ignored, guards and all."""
    file = tmp_path / "config.yaml"
    file.write_text(f"clusterID: x\nserver: {{port: 1}}\n{second}: {{port: 2}}\n")
    with pytest.raises(ConfigError, match="given twice"):
        load({}, {}, file)


ISSUER = "https://11112222-3333-4444-5555-666677778888.tokens.sts.global.api.aws"


def web_identity(file: Path, text: str) -> WebIdentitySettings:
    file.write_text(f"clusterID: prod\nserver:\n  webIdentity: {text}\n")
    return load({}, {}, file).settings.web_identity


def test_no_jwt_is_taken_unless_issuers_are_configured(file: Path) -> None:
    file.write_text("clusterID: prod\n")
    settings = load({}, {}, file).settings
    assert settings.web_identity.issuers == ()
    assert settings.audiences == {"urn:k8s-aws:prod"}


def test_issuers_have_safe_defaults(file: Path) -> None:
    given = web_identity(file, f'{{Issuers: [{{URL: "{ISSUER}", accountID: 011122223333}}]}}')
    (issuer,) = given.issuers
    assert (issuer.url, issuer.accountid, issuer.keysfile) == (ISSUER, "011122223333", None)
    assert given.algorithms == ("RS256",)
    assert (given.maxageseconds, given.keysmaxageseconds) == (900, 86400)


def test_audiences_replace_the_clusters_own(file: Path) -> None:
    given = f'{{issuers: [{{url: "{ISSUER}", accountID: "1" }}], audiences: [a, "b c"]}}'
    given = given.replace('"1"', '"111122223333"')
    web_identity(file, given)
    assert load({}, {}, file).settings.audiences == {"a", "b c"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f'{{issuers: [{{url: "{ISSUER}"}}]}}', "accountid"),
        (f'{{issuers: [{{url: "{ISSUER}", accountID: "1"}}]}}', "account id"),
        (f'{{issuers: [{{url: "{ISSUER}/", accountID: "111122223333"}}]}}', "last /"),
        ('{issuers: [{url: "http://x.example", accountID: "111122223333"}]}', "https"),
        ('{issuers: [{url: "https://x.example:8443", accountID: "111122223333"}]}', "port"),
        ('{issuers: [{url: "https://u@x.example", accountID: "111122223333"}]}', "https"),
        ('{issuers: [{url: "https://X.example", accountID: "111122223333"}]}', "https"),
        ('{issuers: [{url: "https://x.example/a/../b?c", accountID: "111122223333"}]}', "query"),
        (
            "{issuers: [ONE, ONE]}".replace(
                "ONE", f'{{url: "{ISSUER}", accountID: "111122223333"}}'
            ),
            "twice",
        ),
        (f'{{issuers: [{{url: "{ISSUER}", accountID: "111122223333", x: 1}}]}}', "x"),
        ("{algorithms: [HS256]}", "RS256"),
        ("{algorithms: [none]}", "RS256"),
        ("{algorithms: []}", "algorithms"),
        ("{maxAgeSeconds: 3601}", "3600"),
        ("{keysMaxAgeSeconds: 60}", "3600"),
        ('{audiences: ["a\\nb"]}', "printable"),
        ("{unknown: 1}", "unknown"),
        ("[]", "webIdentity"),
    ],
)
def test_web_identity_that_is_refused(file: Path, text: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        web_identity(file, text)
    assert "webIdentity" in str(caught.value)
    assert reason in str(caught.value)
