"""What is kept, and how: all SQL and all files of originals live here."""
