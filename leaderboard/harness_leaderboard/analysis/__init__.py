"""From stored results to figures and how sure they are."""
