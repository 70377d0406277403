"""The only code of ours that runs inside the process of an untrusted script. It records; it judges
nothing, and what it records explains: proofs come from outside.
"""
