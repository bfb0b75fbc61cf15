"""The section `discovery`: generators, ranking of candidates, and rules for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SerializeAsAny, field_validator

from lodestone.config.registry import ACQUISITIONS, GENERATORS, PROBABILITIES
from lodestone.config.sections import Count, Element, Positive, Section


class GeneratorParams(Section):
    """Who proposes; each generator adds settings of its own."""

    name: str = Field(description="a generator of the registry, e.g. substitution")


def _is_table(name: str) -> str:
    return PROBABILITIES[name].name


class SubstitutingParams(GeneratorParams):
    """Settings of all generators that replace elements."""

    probabilities: Annotated[str, AfterValidator(_is_table)] = Field(
        "hautier",
        description="how likely one element replaces another, a table of the registry: hautier (mined from the ICSD), "
        "smact (similarity of ions) or snapshot (learned from the known crystals)",
    )


class ElementPolicy(Section):
    """Elements that candidates may have; known crystals of others stay on the hull. By default, all may be used."""

    allowed: tuple[Element, ...] | None = Field(None, min_length=1, description="only these; null: all")
    excluded: tuple[Element, ...] = Field((), description="none of these")
    radioactive: bool = Field(True, description="whether elements without a stable isotope may be used")
    toxic: bool = Field(True, description="whether As, Be, Cd, Hg, Pb and Tl may be used")
    min_abundance: float = Field(
        0.0,
        ge=0,
        description="least share in the Earth's crust, mg/kg: 0.01 leaves out gold, bismuth, most platinum metals",
    )
    max_supply_concentration: float | None = Field(
        None,
        ge=0,
        description="largest Herfindahl-Hirschman index of production by country; 10,000 is one country, more than "
        "2,500 highly concentrated; elements without an index may be used",
    )
    max_price: float | None = Field(
        None,
        ge=0,
        description="largest price of the pure element, USD/kg in 2013: 1,000 leaves out platinum metals, gold, "
        "germanium, heavy rare earths; elements without a price may be used",
    )


def _by_the_generator(content: Any) -> Any:
    """Validate with the model of the named generator; without a name, pydantic reports what is missing."""
    named = isinstance(content, Mapping) and isinstance(content.get("name"), str)
    return GENERATORS.settings(content["name"], content) if named else content


def _named(rule: Any) -> Any:
    """Earlier versions knew one rule, on or off; and YAML reads a bare ``off`` as false."""
    return {True: "strict", False: "off"}[rule] if isinstance(rule, bool) else rule


def _is_acquisition(name: str) -> str:
    return ACQUISITIONS[name].name


class DiscoveryParams(Section):
    """How candidates are proposed, screened and chosen."""

    generators: tuple[Annotated[SerializeAsAny[GeneratorParams], BeforeValidator(_by_the_generator)], ...] = Field(
        min_length=1, description="who proposes; they take turns until max_proposals are there"
    )
    max_proposals: Count = Field(description="candidates screened per round, drawn with the named seed")
    max_sites: Count = Field(description="largest cell proposed")
    max_elements: int = Field(ge=2, description="most elements in a candidate")
    elements: ElementPolicy = ElementPolicy()
    charge_balance: Annotated[Literal["strict", "common", "off"], BeforeValidator(_named)] = Field(
        "common",
        description="candidates with anions must be neutral by the oxidation states that crystals are reported with: "
        "each element in one usual state (strict); also in rarer ones, in two at once, and with bonds between anions "
        "(common)",
    )
    relatives: bool = Field(
        False,
        description="average predictions with how far known crystals of the prototype with like elements lie from the "
        "hull, by a share that is fitted on the validation crystals; for dense hulls",
    )
    threshold: float = Field(description="keep candidates predicted within this of the hull, eV/atom (GNoME: 0.05)")
    stability_tolerance: float = Field(
        0.001,
        ge=0,
        description="a new crystal of a known formula must lie this far below the best known one to count as stable, "
        "eV/atom; of a new formula, on or below the hull",
    )
    min_depth: float = Field(
        0.0,
        ge=0,
        description="a hit less than this below the hull, eV/atom, is undecided within the oracle's error, and no "
        "discovery",
    )
    max_depth: Positive = Field(
        0.3,
        description="a new crystal further below the hull, eV/atom, shows that phases are missing there: it is no "
        "discovery, and later rounds propose in its chemical system first",
    )
    acquisition: Annotated[str, AfterValidator(_is_acquisition)] = Field(
        description="a ranking of the registry: stability_probability, hit_probability, expected_improvement, "
        "upper_confidence, lowest_energy, likeliest_substitution or random"
    )
    max_per_chemsys: Count = Field(
        description="most candidates of one chemical system per round, for the acquisition and the baseline each"
    )
    max_per_prototype: Count | None = Field(
        None, description="most candidates of one prototype per round, likewise; null: any number"
    )
    min_latent_distance: float = Field(
        0.0,
        ge=0,
        description="least distance between the candidates of a round as the networks see them, likewise, in units of "
        "that at which a crystal is far from all training crystals; candidates that are nearer to a better one wait",
    )
    max_generator_share: float = Field(
        1.0,
        gt=0,
        le=1,
        description="most of a round's budget, for the acquisition and the baseline each, that goes to candidates of "
        "one generator while the others have any",
    )

    @field_validator("generators")
    @classmethod
    def _once_each(cls, generators: tuple[GeneratorParams, ...]) -> tuple[GeneratorParams, ...]:
        names = [section.name for section in generators]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{twice[0]} stands twice")
        return generators
