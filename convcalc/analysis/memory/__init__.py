"""Graph, Profile and Precision -> Memory: the bytes alive at each operator of a deployed network, peak and arena."""
