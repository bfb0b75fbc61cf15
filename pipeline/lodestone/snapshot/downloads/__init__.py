"""Downloads that try again, keep what they have, and never fill the memory."""
