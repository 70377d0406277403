"""Small values in place of a script's own: how each kind of number shrinks, and which is which."""
