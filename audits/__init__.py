"""Static audits of evaluation code. Knows nothing of torch; nothing here imports harness or
reference_model."""
