"""One file a format; which one reads a file is told by its content, never by its name."""
