"""The process that predicts: spawned by `process`, runs `__main__`, never holds an unpaid token."""
