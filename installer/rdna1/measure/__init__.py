"""What is measured on a card: smoke, timing, boundary, sweep, tune."""
