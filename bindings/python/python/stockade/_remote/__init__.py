"""Python inside a sandbox, and the channel to it: what executors and sessions share."""
