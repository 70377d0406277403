"""Drives record folders that were never written for us: the script as it was submitted, small, on
this machine, walled in and watched.

    job        what one run of a script is given, and how it ended
    stage      the private copy, data in the contest's layout
    ladder     which switches are set to what, and why
    printed    the numbers in a log
    nursery    the pre-forked parent; walls; the child that becomes the script
    shim/      what makes a CUDA script run on a CPU, one module a concern
    capture/   what the hooks write down, and how a printed number is rebuilt from it
    battery/   the tests: which runs, on which streams, and what they prove
"""
