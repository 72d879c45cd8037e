"""Where mappings that can be edited are kept: aws-auth, custom resources, files; their history."""
