"""What every process needs: workers, seeds, progress."""
