"""The names of torch-geometric that the views use.

Its package also imports torch's compiler, data sets and a profiler, which takes longer than torch itself. They are
loaded on first use.
"""

from lodestone.runtime.imports import deferred

with deferred("torch._dynamo", "torch_geometric.datasets", "torch_geometric.profile"):
    from torch_geometric.data import Data
    from torch_geometric.nn import MessagePassing
    from torch_geometric.utils import scatter

__all__ = ["Data", "MessagePassing", "scatter"]
