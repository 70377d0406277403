"""A whole evaluation on the real data, witnessed: the ledger of what counted, the account that
anybody can make of it again, and what that says of the rules.

    gather   a finished run's capture -> the ledger, of the scores behind one printed number
    account  the ledger -> numbers: nats, bytes, coverage, order, inference mode, weights, phases
    findings the account -> one status a rule

Nothing here runs anything of a submission.
"""
