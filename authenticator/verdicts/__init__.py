"""Proving callers with as few calls of STS as can be, and without any while STS is away."""
