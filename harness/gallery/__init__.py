"""The gallery: folders that say what must be said of them, evaluated and compared with that.

`exhibit` reads a folder's manifest, `outcome` compares a report with it, `showing` makes the
evaluations, `kept` remembers them, `table` shows them. Nothing here judges a submission.
"""
