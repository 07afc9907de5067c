"""Results in Parquet: written, found, read, kept in order."""
