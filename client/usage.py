"""The help of the verb ``token``."""

from __future__ import annotations

from . import cluster

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def usage(command: str, flags: Iterable[tuple[str, str, str, str]]) -> str:
    """Return the help: every flag, and the environment variables that replace some.

    Args:
        command: the name of the command.
        flags: name, short form, value and help text of each flag, as `client.command.FLAGS`.
    """
    lines = [
        f"Usage: {command} token -i CLUSTER [flags]",
        "",
        "Print an ExecCredential for kubectl: a token that proves your AWS identity to a cluster.",
        "",
    ]
    for name, short, value, text in flags:
        spelling = f"{f'-{short},' if short else '   '} --{name} {value}"
        lines.append(f"  {spelling:<30} {text}")
    lines += [
        "",
        f"Environment: {cluster.VARIABLE} (-i), DEFAULT_ROLE (-r),",
        "AWS_PROFILE, AWS_REGION and the other variables of the AWS SDKs.",
    ]
    return "\n".join(lines)
