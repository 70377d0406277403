"""Is a gain real? What a log of tries says against the noise of one."""
