"""Python's own numbers: scores that were read out, and are added up in a loop."""
