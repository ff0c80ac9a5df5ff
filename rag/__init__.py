"""Questions out: everything from the stored page to the answer that cites it."""
