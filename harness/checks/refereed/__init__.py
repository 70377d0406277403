"""Obligations of a refereed predictor, read off the ledger that the referee kept."""
