"""Where mappings come from: files, the aws-auth ConfigMap, custom resources, and their chain."""
