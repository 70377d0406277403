"""Refereed predictors: the referee holds the stream and asks a worker process for distributions."""
