"""One round of discovery: propose, screen, choose, verify, pass on the state."""
