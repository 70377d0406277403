"""What makes a CUDA script run on a CPU without editing it; one module a concern."""
