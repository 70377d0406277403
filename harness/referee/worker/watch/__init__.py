"""Hooks at torch's boundary for programs that run their own loop. Explanation, never proof.

Sees: integer tensors that hold stretches of the stream, losses and when they are summed, gradients
and optimiser steps, in-place and `.data` writes, fingerprints. Not: numpy arithmetic, other
threads, code that removes the hooks. What is not seen ends as *not rebuilt*, which can never be
CLEAN.
"""
