"""From names to a plan, from a plan to results."""
