"""What people take for a principal or for our keys, with what to write instead."""

from __future__ import annotations

from collections.abc import Callable

from authenticator.mapping.problems import Code

# ARNs that STS gives nobody (IAM User Guide, "IAM identifiers").
_NO_PRINCIPALS = {
    "instance-profile": "an instance profile only holds a role: write the role's ARN",
    "group": "IAM groups do not sign requests: map a role that its members assume",
    "policy": "a policy is no principal: write the ARN of a role that has it",
    "saml-provider": "write the ARN of the role that is assumed through the provider",
    "oidc-provider": "write the ARN of the role that is assumed through the provider",
}
# Keys of other tools for whom an entry names.
_FOREIGN_KEYS = {
    "arn": "arn is eksctl's and the custom resource's key: use rolearn or userarn here",
    "principalarn": "principalArn is the key of EKS access entries: use rolearn or userarn here",
    "role_arn": "role_arn is Terraform's spelling: use rolearn",
    "user_arn": "user_arn is Terraform's spelling: use userarn",
    "rolearn": "its key is rolearn: under mapUsers use userarn, in a custom resource arn",
    "userarn": "its key is userarn: under mapRoles use rolearn, in a custom resource arn",
}


def hint(code: Code | None, text: Callable[..., str]) -> str:
    """What to add to the server's words; "" for nothing.

    Args:
        code: what the server refused.
        text: gives the text of the first key of those named that has one.
    """
    if code is Code.BAD_ARN:
        resource = text("rolearn", "userarn", "arn").split(":", 5)[-1].partition("/")[0]
        meant = _NO_PRINCIPALS.get(resource.lower().strip(), "")
    elif code is Code.NO_PRINCIPAL:
        meant = next((meant for key, meant in _FOREIGN_KEYS.items() if text(key)), "")
    else:
        meant = ""
    return f"; {meant}" if meant else ""
