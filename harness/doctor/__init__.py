"""The conformance suite of the sandbox: hostile scripts and hostile files, each a real one, against
whatever keeps them on this machine. `scorefirst doctor` shows it; the tests run its fast part.
"""
