"""The help of the verb ``token``."""

from __future__ import annotations

from . import cluster, command


def usage() -> str:
    """Return the help: every flag, and the variables that stand in for some."""
    lines = [
        f"Usage: {command.COMMAND} token -i CLUSTER [flags]",
        "",
        "Print an ExecCredential for kubectl: a token that proves your AWS identity to a cluster.",
        "",
    ]
    for name, short, value, text in command.FLAGS:
        spelling = f"{f'-{short},' if short else '   '} --{name} {value}"
        lines.append(f"  {spelling:<30} {text}")
    lines += [
        "",
        f"Environment: {cluster.VARIABLE} (-i), DEFAULT_ROLE (-r),",
        "AWS_PROFILE, AWS_REGION and the other variables of the AWS SDKs.",
    ]
    return "\n".join(lines)
