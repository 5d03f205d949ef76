"""Benchmarks: each module gives rows, each row one figure of ours beside its peer's."""
