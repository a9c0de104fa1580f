"""Where tasks come from: one file a dataset or a folder form."""
