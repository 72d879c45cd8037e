"""Mapping documents as something to edit: entries, formats, and what an edit may not take away."""
