"""How often each token followed each context, for all orders at once, a chunk at a time.

Contexts form a tree: a child has one older token more. A context seen once is a leaf that knows
only where it stood; it is opened when it comes again, so the tree grows with what repeats. Two
exact tables (`exact_table`): (context, older token) -> context, and (context, next token) -> pair.

    where did it stand    first pair            next pair of that context
    leaf: stream[where]   context: head ------> pair: follower --> ... --> 0

Guarantees: the counts of #1185's class, which keeps a dictionary of dictionaries an order; a leaf
answers for all deeper contexts it would have, since they share its one follower. Not covered:
forgetting, and streams of 2^31 tokens.
"""

import numpy as np
import numpy.typing as npt

from harness.engines.exact_table import ExactTable, Ids, room_for

Tokens = npt.NDArray[np.int64]

BREAK = -1  # stands in the stream where no context reaches across
BLOCK = 1 << 16  # positions learned together, which bounds the temporary arrays
ONE = np.int32(1)  # of the columns' type: `add.at` is ten times slower where it has to convert
TOKEN_BITS = 32
TOKEN_MASK = (1 << TOKEN_BITS) - 1


class ContextCounts:
    """Counts of followers; a context of order n has n - 1 tokens."""

    def __init__(self, min_order: int, max_order: int) -> None:
        self._shortest, self._longest = min_order - 1, max_order - 1
        self._stream = np.full(1, BREAK, np.int32)  # everything learned, with breaks
        self._n_stream = 1
        self._contexts, self._pairs = ExactTable(), ExactTable()
        self._total, self._where, self._head = (np.zeros(1, np.int32) for _ in range(3))
        self._count, self._follower = (np.zeros(1, np.int32) for _ in range(2))

    @property
    def n_bytes(self) -> int:
        """Bytes of all arrays."""
        columns = (self._stream, self._total, self._where, self._head, self._count, self._follower)
        return sum(c.nbytes for c in columns) + self._contexts.n_bytes + self._pairs.n_bytes

    def learn(self, tokens: Tokens, joined: bool = False) -> None:
        """Counts the tokens after the first; `joined`: the first is the last of the call before."""
        joined = joined and self._n_stream > 1
        new = tokens[1:] if joined else np.append(BREAK, tokens)
        stop = self._n_stream + len(new)
        self._stream = room_for(self._stream, stop)
        self._stream[self._n_stream : stop] = new
        self._n_stream = stop
        for first in range(stop - len(tokens) + 1, stop, BLOCK):
            self._grow(np.arange(first, min(first + BLOCK, stop)))

    def _grow(self, positions: Ids) -> None:
        """Enters the contexts before these positions, depth by depth."""
        nodes = np.zeros(len(positions), np.int64)
        for depth in range(1, self._longest + 1):
            older = self._stream[positions - depth].astype(np.int64)
            inside = older != BREAK
            nodes, positions, older = nodes[inside], positions[inside], older[inside]
            nodes = self._contexts.enter(nodes << TOKEN_BITS | older)
            if depth < self._shortest:  # never an answer: always open, nothing to count
                continue
            nodes, positions = self._visit(nodes, positions)
            self._pair(nodes, positions)

    def _visit(self, nodes: Ids, positions: Ids) -> tuple[Ids, Ids]:
        """Counts contexts; those open now, with what a leaf that opened just now had kept back."""
        n = self._contexts.n
        self._total, self._where = room_for(self._total, n), room_for(self._where, n)
        self._head = room_for(self._head, n)
        before = self._total[nodes]
        np.add.at(self._total, nodes, ONE)
        new = before == 0
        self._where[nodes[new]] = positions[new]
        opened = np.unique(nodes[before == 1])
        stay = self._total[nodes] > 1
        return (
            np.concatenate([nodes[stay], opened]),
            np.concatenate([positions[stay], self._where[opened]]),
        )

    def _pair(self, nodes: Ids, positions: Ids) -> None:
        """Counts followers of open contexts, and hangs new pairs into their context's list."""
        known = self._pairs.n
        pairs = self._pairs.enter(nodes << TOKEN_BITS | self._stream[positions])
        n = self._pairs.n
        self._count, self._follower = room_for(self._count, n), room_for(self._follower, n)
        np.add.at(self._count, pairs, ONE)
        owners = self._pairs.key(np.arange(known, n)) >> TOKEN_BITS
        order = np.sort(owners << TOKEN_BITS | np.arange(known, n))  # by context, then by age
        owners, new = order >> TOKEN_BITS, order & TOKEN_MASK
        last = np.append(owners[1:] != owners[:-1], True)[: len(new)]
        self._follower[new] = np.where(last, self._head[owners], np.roll(new, -1))
        first = np.roll(last, 1)
        self._head[owners[first]] = new[first]

    def match(
        self,
        contexts: Tokens,  # (n, w) the latest tokens before each question, BREAK where none is
    ) -> Ids:
        """(n,) the longest known context of each row, 0 where none is known."""
        best = np.zeros(len(contexts), np.int64)
        rows, nodes = np.arange(len(contexts)), best
        for depth in range(1, min(self._longest, contexts.shape[1]) + 1):
            older = contexts[rows, -depth] & TOKEN_MASK
            nodes = self._contexts.find(nodes << TOKEN_BITS | older)
            if depth < self._shortest:
                more = nodes != 0
            else:
                best[rows] = np.where(nodes, nodes, best[rows])
                more = self._total[nodes] > 1
            rows, nodes = rows[more], nodes[more]
        return best

    def total(self, nodes: Ids) -> Ids:
        """(n,) how often each context was followed by anything."""
        return self._total[nodes].astype(np.int64)

    def count(self, nodes: Ids, tokens: Tokens) -> Ids:
        """(n,) how often each context was followed by its token."""
        open_ = self._total[nodes] > 1
        pairs = self._pairs.find(nodes << TOKEN_BITS | tokens)
        leaf = (nodes != 0) & (self._stream[self._where[nodes]] == tokens)
        return np.where(open_, self._count[pairs], leaf).astype(np.int64)

    def followers(self, nodes: Ids) -> tuple[Ids, Tokens, Ids]:
        """(row, token, count) of everything that followed the contexts, in no set order."""
        open_ = self._total[nodes] > 1
        leaves = np.flatnonzero(~open_ & (nodes != 0))
        found: list[tuple[npt.NDArray[np.integer], ...]] = [
            (leaves, self._stream[self._where[nodes[leaves]]], np.ones(len(leaves), np.int64))
        ]
        rows = np.flatnonzero(open_)
        pairs = self._head[nodes[rows]].astype(np.int64)
        while len(rows):
            found.append((rows, self._pairs.key(pairs) & TOKEN_MASK, self._count[pairs]))
            pairs = self._follower[pairs].astype(np.int64)
            rows, pairs = rows[pairs != 0], pairs[pairs != 0]
        row, token, count = (
            np.concatenate(part).astype(np.int64) for part in zip(*found, strict=True)
        )
        return row, token, count
