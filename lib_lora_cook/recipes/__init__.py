"""Settings that are known to work, a reason beside each: files that are put together."""
