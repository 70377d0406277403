"""One obligation a file: each turns evidence into the status of rules. None runs anything."""
