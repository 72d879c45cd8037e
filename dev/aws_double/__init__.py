"""The AWS double: an HTTPS proxy on loopback that answers as STS and really verifies signatures."""

from dev.aws_double.calls import Call, Counts
from dev.aws_double.double import AwsDouble
from dev.aws_double.principals import Principal

__all__ = ["AwsDouble", "Call", "Counts", "Principal"]
