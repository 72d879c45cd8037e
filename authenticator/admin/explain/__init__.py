"""The verb `explain`: what the server makes of a caller, and why."""
