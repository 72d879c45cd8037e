"""The exec plugin and the token library: AWS credentials in, a bearer token out."""
