"""One scale and one level for all frames, lots and tiles."""
