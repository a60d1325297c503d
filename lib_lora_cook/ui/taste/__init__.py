"""The step Taste of the page."""
