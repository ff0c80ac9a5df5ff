"""Plain text, read the same way everywhere: where sentences end, and what its terms are."""
