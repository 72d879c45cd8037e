"""The verb `access`: who can do what, by mappings and RBAC."""
