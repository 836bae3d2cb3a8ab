"""Measure convolutions: cases, a worker that can die, and the supervisor that outlives it."""
