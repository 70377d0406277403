"""What a script is told, so that it runs small: learned by reading it and from its complaints.

Runs in our own process.
"""
