"""One file a step. A step is never edited once released: a new one is added."""
