"""Stacks of images of one field: what is known of each, its sky, its noise, its profile of a point, its place."""
