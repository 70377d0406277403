"""What a folder says of its numbers: read into one record, checked against each other and files."""
