"""The step Tag of the page."""
