"""The whole life of one machine with the distribution's PyTorch, in the order of the files."""
