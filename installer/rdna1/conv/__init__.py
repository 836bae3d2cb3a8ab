"""What a convolution is: its case, the float64 reference, tolerances and results."""
