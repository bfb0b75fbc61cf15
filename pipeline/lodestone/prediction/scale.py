"""On whose scale energies are: two scales never meet on one hull unless somebody says so."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lodestone.errors import LodestoneError
from lodestone.tables.files import read_json, write_json
from lodestone.tables.layout import Layout

SCALE_FILE = "scale.json"


@dataclass(frozen=True)
class Scale:
    """What energies are.

    Attributes:
        label_method: What made them, e.g. ``dft-pbe``; ``None`` where nobody knows.
        correction_scheme: Their corrections; ``None`` where the method says it all, or nobody knows.
    """

    label_method: str | None = None
    correction_scheme: str | None = None

    def __str__(self) -> str:
        scheme = f" ({self.correction_scheme})" if self.correction_scheme else ""
        return f"{self.label_method or 'unknown'}{scheme}"

    def agrees_with(self, other: Scale) -> bool:
        """Whether energies of both may meet on one hull."""
        schemes = {self.correction_scheme, other.correction_scheme} - {None}
        return self.label_method is not None and self.label_method == other.label_method and len(schemes) < 2

    @classmethod
    def parse(cls, text: str) -> Scale:
        """From ``METHOD`` or ``METHOD/SCHEME``."""
        method, _, scheme = text.partition("/")
        return cls(method or None, scheme or None)

    @classmethod
    def read(cls, folder: Path) -> Scale:
        """Of the ensemble in a folder: as its own file says, or the labels of the campaign that it is a round of."""
        if not (folder / SCALE_FILE).is_file():
            return cls.of(Layout(folder.parent.parent))
        content: dict[str, Any] = read_json(folder / SCALE_FILE)
        return cls(content["label_method"], content["correction_scheme"])

    @classmethod
    def of(cls, campaign: Layout) -> Scale:
        """Of a campaign: whatever its oracle is, all its energies are of one kind."""
        return cls(str(read_json(campaign.oracle)["name"])) if campaign.oracle.is_file() else cls()

    def write(self, folder: Path, **facts: str) -> None:
        """Keep it beside an ensemble, with more facts about its data."""
        content = {"label_method": self.label_method, "correction_scheme": self.correction_scheme, **facts}
        write_json(content, folder / SCALE_FILE)


def refuse_other_scale(model: Scale, hull: Scale, name: str) -> None:
    """Refuse a hull of other energies than the model predicts.

    Raises:
        LodestoneError: Names both.
    """
    if model.agrees_with(hull):
        return
    raise LodestoneError(
        f"the model predicts {model}, but the energies of the hull {name} are {hull}: distances between the two would "
        "mix their difference with the stability of the crystal",
        "take a hull on the model's scale (--hull-scale METHOD/SCHEME says what a file's energies are), a model on the "
        "hull's, or accept the difference with --across-scales, which is stated beside every result",
    )
