"""Node -> Document -> Graph: the spec language, with its blocks, variables, choices and includes."""
