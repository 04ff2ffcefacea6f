"""One spec -> many networks: every combination of variables counted, the best ones kept, a budget solved for."""
