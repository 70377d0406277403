"""CAUSAL-1: between chunks by construction, inside a chunk by asking again with another future."""

from dataclasses import asdict

from harness.checks.status import Finding, Level, Status
from harness.referee.run import Run


def check_causality(run: Run) -> Finding:
    """For a refereed run, from its probes."""
    probes = run.probes
    findings = tuple(asdict(p) for p in probes)
    if not probes:
        return Finding("CAUSAL-1", Status.UNKNOWN, Level.REFEREE, "no probe was asked")
    broken = [p for p in probes if p.violated]
    if broken:
        worst = max(broken, key=lambda p: p.moved_nats)
        text = (
            f"scores fixed before position {worst.cut} moved by up to {worst.moved_nats:.4g} nats"
            f" when only tokens from {worst.cut} on were replaced ({worst.kind}; noise"
            f" {worst.noise_nats:.2g}); {len(broken)} of {len(probes)} probes moved"
        )
        return Finding("CAUSAL-1", Status.FAIL, Level.REFEREE, text, evidence=findings)
    if any(p.undecided for p in probes):
        text = "answers moved, but so do identical questions: this predictor is not repeatable"
        return Finding("CAUSAL-1", Status.UNKNOWN, Level.REFEREE, text, evidence=findings)
    worst_move = max(p.moved_nats for p in probes)
    text = (
        f"{len(probes)} probes with another future moved nothing (at most {worst_move:.2g} nats);"
        " between chunks the worker never held a later token"
    )
    return Finding("CAUSAL-1", Status.PASS, Level.REFEREE, text, evidence=findings)
