"""The server's certificate: made, renewed, switched, and trusted by API servers."""
