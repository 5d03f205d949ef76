"""Frames without a sky solution, laid over each other by their stars."""
