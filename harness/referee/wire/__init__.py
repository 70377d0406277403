"""The wall's only door: small messages on a private socket, big arrays in shared memory."""
