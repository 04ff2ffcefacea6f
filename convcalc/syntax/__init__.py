"""Text -> Node: YAML, TOML and expressions as values that know their location; nothing here knows networks."""
