"""Results to JSON (later: HTML and Markdown). Nothing here computes a result."""
