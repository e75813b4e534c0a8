"""The scenario scaled to what one machine can carry, and what the lab should then show."""
