"""The pages, as functions that call the assistant only."""
