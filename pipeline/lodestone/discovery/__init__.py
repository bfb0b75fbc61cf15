"""One round of discovery: propose, screen, choose, verify, hand on the state."""
