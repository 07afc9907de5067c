"""Heads and classifiers."""
