"""Extract once: recordings through a frozen upstream into a store."""
