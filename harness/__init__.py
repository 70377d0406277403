"""The compliance-auditing evaluation harness."""
