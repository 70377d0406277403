"""From findings to one status a rule, from statuses to a verdict per profile."""
