"""A corpus on disk, up to its checked utterances."""
