"""Results made ready for others: as a page, as a dataset, as a model's scores."""
