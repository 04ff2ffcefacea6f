"""Graph -> the text of a spec, with what repeats as blocks; the text is built and counted before it is returned."""
