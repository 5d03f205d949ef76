"""One resampling of every raw pixel, straight onto the canvas."""
