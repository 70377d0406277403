"""Reading what was recorded inside, in our own process: scores, uses, printed numbers."""
