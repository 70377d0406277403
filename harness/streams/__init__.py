"""What is scored: validation streams, streams of a known law, altered futures, and how they are
cut.
"""
