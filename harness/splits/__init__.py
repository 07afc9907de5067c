"""Which utterances train, which select and which test."""
