"""Benchmarks: beside today's tool, on the same fake AWS, in one run."""
