"""What can be wrong with data that somebody hands us.

DataError          a folder, tokenizer or text that cannot be used
`-- ShardError     one token file that is not what its header promises
"""


class DataError(Exception):
    """The data cannot be used; the message names the path, what was wanted, and the cure."""


class ShardError(DataError):
    """One shard file is short, corrupt or foreign."""
