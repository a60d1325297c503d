"""Runs that are kept: laid side by side, cooked again with a change, waiting in a queue."""
