"""The private copy of a folder that a script runs in, and its data."""
