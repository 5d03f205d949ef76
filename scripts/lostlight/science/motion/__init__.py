"""Where things are on the sky and on images, against time."""
