"""One step on many threads and processes, with the same bits for any number of them.

Start with step.py, the sharded forward and backward pass; tree_sum.py fixes the order of the sum.
Where a batch is cut and in which order shards are added decides the bits of every run: change neither lightly.
"""

from minimixer.parallel.group import Group
from minimixer.parallel.launch import open_group
from minimixer.parallel.step import ShardedModel, score
from minimixer.parallel.workers import Workers

__all__ = ["Group", "ShardedModel", "Workers", "open_group", "score"]
