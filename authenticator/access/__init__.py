"""Mappings joined with RBAC: who can do what."""
