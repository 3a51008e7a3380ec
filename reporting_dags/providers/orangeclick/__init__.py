"""OrangeClickMedia: one synchronous query for each window."""
