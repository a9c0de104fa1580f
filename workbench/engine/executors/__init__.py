"""How a batch of tasks is run: at once over a task axis, in two ways, task by task on threads, or in portions, each at
once on one thread.

All give the same numbers.
"""

from workbench.engine.executors.base import Executor
from workbench.engine.executors.pooled import Threads
from workbench.engine.executors.portions import Portions
from workbench.engine.executors.vectorized import Columns, Vectorized

EXECUTORS: dict[str, type[Executor]] = {kind.name: kind for kind in (Vectorized, Columns, Threads, Portions)}
