"""What a folder says of its run: commands, logs, submission.json, and the environment they give."""
