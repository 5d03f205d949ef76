"""Where things are on the sky: tiles, epochs, proper motion, separations."""
