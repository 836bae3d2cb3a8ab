"""Find the size from which a card's convolutions fail, and the quantity that decides it."""
