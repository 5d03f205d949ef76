"""The search for sources that move in straight lines: likelihoods summed along paths."""
