"""The verbs of the command line: their options, and a few lines over the functions they call."""
