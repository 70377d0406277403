"""A score is taken again, with another token, in copies of the process."""
