"""Graph -> Training: what a training step keeps and computes, layer by layer."""
