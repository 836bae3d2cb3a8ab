"""The process that may die of a convolution, and what outlives it."""
