"""The training stack that produces artifacts. Imports neither harness nor audits."""
