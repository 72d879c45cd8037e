"""What a bearer token claims, by its text alone. Pure: the time is an argument."""
