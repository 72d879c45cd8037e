"""AWS IAM authentication for Kubernetes: the webhook server and the administrator's commands."""

__version__ = "0.8.0"
