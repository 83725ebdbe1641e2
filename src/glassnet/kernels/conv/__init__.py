"""Convolutions, and the fused block of convolution, normalisation, activation and pooling."""
