"""Between referee and worker: small messages on a private socket, big arrays in shared memory."""
