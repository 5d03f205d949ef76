"""Lostlight: find the lights that went out."""

__version__ = "0.1.0"
