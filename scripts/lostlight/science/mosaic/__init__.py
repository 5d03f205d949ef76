"""Levelling and joining frames: each on one canvas, at one level, cleaned."""
