"""Graph -> figures: what each layer costs, why, and how two networks differ."""
