"""Which runs are made of a script, in which order, and when to stop. Runs in our own process."""
