"""Trackers: results sent on, as they come, to a program that shows them."""
