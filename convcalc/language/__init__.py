"""Node -> Document -> Graph: the language of specs, its includes, blocks, variables and layers."""
