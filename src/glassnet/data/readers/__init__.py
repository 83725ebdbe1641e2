"""One module a format: each turns a path into splits."""
