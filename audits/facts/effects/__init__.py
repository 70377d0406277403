"""Effects: what single operations mean to a rule, on values that are already known.

Guarantees: nothing here reads code of the submission any further; each function takes evaluated
operands and leaves labels on values and events in the trace.
Does not cover: which operation comes next; that is for `interpreter`.
"""
