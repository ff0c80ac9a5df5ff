"""Documents in: everything that needs to know a file format."""
