"""The step Gather of the page."""
