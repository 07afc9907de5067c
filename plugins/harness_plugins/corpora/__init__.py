"""Corpora of emotional speech."""
