"""What is scored: validation streams, streams of a known source, altered futures, and how they are
cut.
"""
