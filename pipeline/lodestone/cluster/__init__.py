"""The batch loop: candidates out to where the user computes, labels back into the campaign."""
