"""Benchmarks against the Go reference, side by side on one machine (docs/benchmarks.md)."""
