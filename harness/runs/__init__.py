"""One pass of a submission over one stream: a refereed predictor, a watched program, a known
source.
"""
