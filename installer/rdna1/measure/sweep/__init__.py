"""Run a grid of convolutions, in shards and in several sittings if need be."""
