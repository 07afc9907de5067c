"""Speech models, one file a family."""
