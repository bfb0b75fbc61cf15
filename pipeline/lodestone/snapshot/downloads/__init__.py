"""Downloads that retry, resume where they stopped, and keep little in memory."""
