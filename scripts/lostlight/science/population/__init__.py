"""Populations of moving sources: what their orbits are, how fast they go, how bright they are."""
