"""Reports that others made: is their evidence whole, and does the counterexample come again?

`recorded` reads a report, `inputs` says what is missing here, `evidence` checks files without
running anything, `refereed` asks a predictor one question again, `whole` repeats an evaluation
where a finding needs all of it. Nothing here changes a report.
"""
