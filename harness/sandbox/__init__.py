"""Processes and isolation: what stands between an untrusted script and this machine."""
