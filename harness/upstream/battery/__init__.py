"""The tests of an unmodified script: which runs, on which streams, and what they prove."""
