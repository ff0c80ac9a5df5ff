"""From a query to hits: vectors, keywords, routing by document, and fusing them."""
