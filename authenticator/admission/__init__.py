"""Answers the API server's question whether an edit of the mappings may be stored."""
