"""Tokens on disk: shards, folders, tokenizers, byte accounting. Imports no torch."""
