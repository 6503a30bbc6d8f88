"""Models of the Hub, fetched into the cache of this machine: a job that tells its progress and can be stopped."""
