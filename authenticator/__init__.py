"""AWS IAM authentication for Kubernetes: the webhook server and the administrator's commands."""

__version__ = "0.8.0"
# A placeholder, as in setup.cfg; `make dist` for a release refuses it.
REPOSITORY = "https://git.example.com/kube-iam-authenticator"
