"""An oracle whose energies are those of a made-up campaign, on a scale of its own."""

from lodestone.config.registry import ORACLES
from lodestone.config.sections import OracleParams
from lodestone.opinions.judges import Judge
from lodestone.oracles.base import Label, Oracle

ENERGIES: dict[str, float] = {}
FINDS: set[str] = set()
LABELLED: list[tuple[str, str]] = []
NAME = "toy-of-the-opinions"


class ToyParams(OracleParams):
    name: str = NAME
    functional: str = "r2SCAN"
    shift: float = 0.0
    refused: tuple[str, ...] = ()


@ORACLES.register(NAME, settings=ToyParams)
class Toy(Oracle):
    """Each atom costs minus its atomic number more than in the campaign, and finds cost the shift, eV/atom."""

    settings: ToyParams
    caveat = "Energies are made up."
    one_process = True

    @property
    def name(self):
        return f"toy{self.settings.shift:+g}-static"

    def static(self):
        return self

    def label(self, crystals):
        for index, crystal in enumerate(crystals):
            digest = crystal.digest()
            LABELLED.append((self.name, digest))
            if set(self.settings.refused) & set(crystal.species):
                yield index, Label("unseen_element: some")
                continue
            own = -float(crystal.atomic_numbers.mean()) + (self.settings.shift if digest in FINDS else 0.0)
            yield index, Label("ok", ENERGIES[digest] + own, crystal)


@ORACLES.register("relaxing-of-the-opinions", settings=OracleParams)
class Relaxing(Oracle):
    caveat = "It relaxes all."

    def label(self, crystals):
        yield from ()


@ORACLES.register("absent-of-the-opinions", settings=OracleParams)
class Absent(Toy):
    packages = ("a-package-that-nobody-has",)
    extra = "potentials"

    @property
    def name(self):
        return "absent-static"


def judge(**settings) -> Judge:
    return Judge.of(ToyParams(**settings))


def label(judge, crystals):
    return [found for _, found in sorted(judge.oracle.label(crystals), key=lambda item: item[0])]
