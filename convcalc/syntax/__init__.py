"""Text -> values with locations: YAML, TOML and the expressions in `${...}`. Knows nothing of networks."""
