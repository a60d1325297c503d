"""The trainer. Its numbers are those of kohya-ss/sd-scripts unless a comment says otherwise."""
