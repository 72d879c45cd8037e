"""The running server: HTTPS, the endpoints, metrics and the audit log."""
