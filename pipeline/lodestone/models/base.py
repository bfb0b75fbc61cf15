"""A view: a dataset and a network, in one file of this package, which registers itself under the view's name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from lodestone.crystals.crystal import Crystal
from lodestone.models.layers import Ragged


class ViewDataset:
    """Crystals as a network sees them.

    All attributes are tensors or :class:`lodestone.models.layers.Ragged` arrays, so that the processes that train the
    networks can share one file. A subclass takes crystals, the parameters of its view, and which of the crystals are
    unrelaxed, shape ``(n,)``; it has a length and makes batches.
    """

    def __init__(self, crystals: Sequence[Crystal], params: Any, unrelaxed: Sequence[bool]) -> None:
        raise NotImplementedError

    def __len__(self) -> int:
        raise NotImplementedError

    def batch(self, rows: Tensor) -> Any:
        """Some crystals, by their rows, as the network takes them; has a method ``to(device)``."""
        raise NotImplementedError

    @classmethod
    def joined(cls, parts: Sequence[ViewDataset]) -> Self:
        """The crystals of several datasets of one kind, one dataset after the other."""
        whole = cls.__new__(cls)
        for name, value in vars(parts[0]).items():
            values = [getattr(part, name) for part in parts]
            setattr(whole, name, Ragged.joined(values) if isinstance(value, Ragged) else torch.cat(values))
        return whole

    def subset(self, rows: Tensor) -> Self:
        """Some crystals, by their rows, as a dataset of its own; nothing is computed again."""
        chosen = self.__class__.__new__(self.__class__)
        for name, value in vars(self).items():
            setattr(chosen, name, value.subset(rows) if isinstance(value, Ragged) else value[rows])
        return chosen

    def tensors(self) -> dict[str, Tensor]:
        """All its tensors, by name."""
        groups = {
            name: value.tensors() if isinstance(value, Ragged) else {"": value} for name, value in vars(self).items()
        }
        return {f"{name}/{key}": value for name, arrays in groups.items() for key, value in arrays.items()}

    @classmethod
    def restored(cls, tensors: Mapping[str, Tensor]) -> Self:
        """The inverse of :meth:`tensors`."""
        groups: dict[str, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            attribute, _, key = name.partition("/")
            groups.setdefault(attribute, {})[key] = value
        dataset = cls.__new__(cls)
        for attribute, arrays in groups.items():
            setattr(dataset, attribute, arrays[""] if "" in arrays else Ragged.restored(arrays))
        return dataset


class ViewNetwork(nn.Module):
    """Crystals to one number each; the class is what a view registers, with the model of its parameters.

    A network that also has ``latent(batch)``, vectors of shape ``(b, k)``, can detect crystals that are unlike
    the training crystals.

    Examples:
        The whole of a view is one file, ``models/density.py``, where the network also has a line above it:
        ``@VIEWS.register("density", settings=GeometryParams)``.

        >>> import torch
        >>> class DensityDataset(ViewDataset):
        ...     def __init__(self, crystals, params, unrelaxed):
        ...         self.density = torch.tensor([[len(crystal) / crystal.volume] for crystal in crystals])
        ...     def __len__(self):
        ...         return len(self.density)
        ...     def batch(self, rows):
        ...         return self.density[rows]
        >>> class DensityNetwork(ViewNetwork):
        ...     dataset = DensityDataset
        ...     def __init__(self, params):
        ...         super().__init__()
        ...         self.line = nn.Linear(1, 1)
        ...     def forward(self, batch):
        ...         return self.line(batch)[:, 0]
        >>> polonium = Crystal([[3.4, 0, 0], [0, 3.4, 0], [0, 0, 3.4]], [84], [[0, 0, 0]])
        >>> crystals = DensityNetwork.dataset([polonium, polonium], None, [False, True])
        >>> DensityNetwork(None)(crystals.batch(torch.arange(len(crystals)))).shape
        torch.Size([2])

    Attributes:
        dataset: Class of its datasets.
    """

    dataset: ClassVar[type[ViewDataset]]

    def forward(self, batch: Any) -> Tensor:
        """Standardized residual formation energy per atom, shape ``(b,)``."""
        raise NotImplementedError


def has_latent(network: type[nn.Module]) -> bool:
    """Whether networks of a class give latent vectors."""
    return callable(getattr(network, "latent", None))
