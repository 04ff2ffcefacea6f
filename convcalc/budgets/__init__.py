"""Count -> Verdict: the limits of a spec, a project and a command line, checked on a network."""
