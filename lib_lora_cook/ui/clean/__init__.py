"""The step Clean of the page."""
