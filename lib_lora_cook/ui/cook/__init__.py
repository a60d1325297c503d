"""The step Cook of the page."""
