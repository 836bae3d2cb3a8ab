"""Run a grid of convolutions, in shards and in several sessions if need be."""
