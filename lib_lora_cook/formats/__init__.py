"""Other trainers' files: read into our settings, and a run of ours written for sd-scripts."""
