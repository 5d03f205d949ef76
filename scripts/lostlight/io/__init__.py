"""The only door to files, the network and other programs."""
