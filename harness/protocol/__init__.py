"""What crosses the border between our process and an untrusted one; read on both sides."""
