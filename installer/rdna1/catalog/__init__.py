"""What is known, as sourced data with one loader each."""
