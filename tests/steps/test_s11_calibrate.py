"""The whole of step 11 on a small simulated camera."""
