"""Which cluster a token is for."""

from .errors import ClientError

VARIABLE = "KUBERNETES_AWS_AUTHENTICATOR_CLUSTER_ID"
_LENGTH = 256


def check(cluster_id: str) -> str:
    """Return the id, the value of a signed header: the rule is that of `authenticator.settings`.

    Raises:
        ClientError: it is empty, too long, or not what a header carries unchanged.
    """
    if not cluster_id:
        raise ClientError(
            f"no cluster id; give the cluster's name with -i, in {VARIABLE}, or as `clusterID` in"
            " the file given with -c"
        )
    plain = cluster_id.isascii() and cluster_id.isprintable()
    # Signatures do not tell one space from several (SigV4), or whether any are at the ends.
    if not plain or cluster_id != " ".join(cluster_id.split()) or len(cluster_id) > _LENGTH:
        raise ClientError(
            f"the cluster id {cluster_id[: _LENGTH + 1]!r} cannot be sent in a header; use 1 to"
            f" {_LENGTH} printable ASCII characters, with single spaces between words"
        )
    return cluster_id


def from_config(path: str) -> str:
    """Return ``clusterID`` of the authenticator's own configuration file, empty if not there.

    The client has no YAML parser, and needs none for one line: a key at the outermost level, in
    any case, with a plain or quoted value.

    Raises:
        ClientError: the file cannot be read, or writes the value in some other way.
    """
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - pathlib costs 3 ms
            lines = file.readlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ClientError(f"cannot read the config file {path!r}: {reason}; see -c") from error
    for line in lines:
        key, colon, value = line.partition(":")
        if colon and key.rstrip().strip("\"'").lower() == "clusterid":
            return _scalar(value, path)
    return ""


def _scalar(text: str, path: str) -> str:
    text = text.strip()
    quote = text[:1]
    if quote in {'"', "'"}:
        value, end, rest = text[1:].partition(quote)
        plain = end and "\\" not in value and (not rest.strip() or rest.lstrip()[0] == "#")
    else:
        value = text.partition(" #")[0].rstrip()
        plain = quote not in set("&*!|>%@`{[#") and ": " not in value
    if not plain:
        raise ClientError(
            f"cannot make out clusterID in {path!r}; write it as `clusterID: name`, or give -i"
        )
    return value
