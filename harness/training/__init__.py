"""Fit a head on stored features, select an epoch, and score it."""
