"""The REST methods, one module per family; `table` registers all of them by name."""
