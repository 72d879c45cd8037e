"""Where mappings are kept that can be edited (aws-auth, custom resources, files), and since when."""
