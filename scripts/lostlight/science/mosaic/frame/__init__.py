"""What is measured on one frame: its stars, its noise, its levels, and whether it is good enough."""
