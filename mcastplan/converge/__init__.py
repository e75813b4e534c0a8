"""What a failure does: events of the IGP and of schemes, packets through them, transport."""
