"""Limits and a Count -> which limits are broken, with the layers that weigh most."""
