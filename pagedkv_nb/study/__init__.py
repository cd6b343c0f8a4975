"""What shows and runs the notebooks."""
