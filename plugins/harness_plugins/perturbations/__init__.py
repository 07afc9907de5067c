"""Perturbations: what makes recordings harder, a file for each family."""
