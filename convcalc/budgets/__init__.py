"""Limits and a Count -> which limits are exceeded, with the largest layers."""
