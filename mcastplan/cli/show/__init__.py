"""Results as terminal text: at most 100 columns, ASCII, plain when piped. Nothing is computed."""
