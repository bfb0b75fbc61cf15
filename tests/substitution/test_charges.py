"""Charge rules on compounds that exist, on compounds that are made up, and against a search without shortcuts."""

from itertools import combinations_with_replacement, product

import numpy as np
import polars as pl
import pytest
from pymatgen.core import Composition

from lodestone.crystals.elements import ATOMIC_NUMBERS
from lodestone.errors import LodestoneError
from lodestone.substitution.charges import COMMON, STRICT, charge_rule, check_states, is_charge_balanced, is_neutral
from lodestone.substitution.oxidation_states import ANIONS, electronegativities, reported_states

SALTS = """
NaCl KBr LiF CsI CaF2 MgCl2 AlF3 LaCl3 ZrF4 UF6 WCl6 NbCl5 TaF5 TiCl4 SnCl2 SnCl4 PbI2 AgCl CuCl CuCl2 Hg2Cl2 HgCl2
TlBr BiI3 SbF5 FeCl2 FeCl3 CrCl2 CrCl3 MnF2 MnF3 CoF3 VF3 VF5 EuCl2 EuCl3 YbI2 CeF4 ThBr4 MgO CaO BaO Li2O Na2O Al2O3
Ga2O3 Cr2O3 V2O5 VO2 V2O3 TiO2 ZrO2 HfO2 CeO2 Ce2O3 MnO MnO2 Mn2O3 FeO Fe2O3 Co2O2 NiO CuO Cu2O Ag2O ZnO CdO HgO SnO
SnO2 PbO PbO2 Sb2O3 Sb2O5 Bi2O3 MoO2 MoO3 WO3 ReO3 RuO2 OsO4 UO2 UO3 SiO2 GeO2 B2O3 P2O5 As2O3 SeO2 TeO2 TeO3 Nb2O5
Ta2O5 La2O3 EuO ZnS CdSe HgTe PbS PbTe Bi2Te3 Sb2Te3 As2S3 As2Te3 MoS2 MoTe2 PtTe2 PtS2 TiS2 ZrSe2 NbSe2 TaS2 SnS SnS2
SnSe GeTe Ag2S Cu2S Cu2Se In2Se3 Ga2S3 La2S3 CeS2 MnS FeS NiS Li2S Na2Se K2Te CaS BaTe BN AlN GaN InN Si3N4 TiN CrN VN
Ta3N5 Mg3N2 Ca3N2 Li3N ScN LaN Th2N2 UN Zn3N2 P3N5 CaTiO3 SrTiO3 BaTiO3 PbTiO3 KNbO3 LiNbO3 LaAlO3 NaTaO3 MgAl2O4
ZnFe2O4 LiCoO2 LiNiO2 NaFeO2 FeTiO3 CaWO4 PbMoO4 FeWO4 ZrSiO4 Mg2SiO4 Fe2SiO4 CaMgSi2O6 Ca3Al2Si3O12 NaAlSi3O8
KAlSi3O8 Be3Al2Si6O18 Y3Al5O12 Y3Fe5O12 Gd2Ti2O7 La2Zr2O7 CsPbI3 CsSnBr3 KMgF3 K2PtCl6 Na3AlF6 Cs2AgBiBr6 K2NaAlF6
CuFeS2 CuInSe2 Cu2ZnSnS4 AgGaS2 Cu3AsS4 Cu3SbS3 LiFePO4 Li3V2P3O12 BiFeO3 La2CuO4 LaOCl BiOCl LaOFeAs PbFCl TaON
LaTaON2 BaTaO2N Na2SO4 CaSO4 BaSO4 FeSO4 K2S2O7 NaNO3 Ba(NO3)2 CaCO3 MgCO3 CaMg(CO3)2 Na2CO3 K3PO4 AlPO4 Ca5P3O12F
Na4P2O7 NaPO3 KIO3 K2CrO4 K2Cr2O7 Na3VO4 Li2B4O7 Na3BO3 KCN KSCN KOCN Na2SeO4 Na2SeO3 Na2TeO4 NH4Cl NaOH Mg(OH)2 AlOOH
NaHCO3 KHSO4 CaHPO4 KH2PO4 NaHF2 NaBH4 NaBF4 KPF6 Na2SiF6 CaC2O4 LiAlCl4
""".split()
RARE_STATES = "WS2 WTe2 ZrN NbN Na2SO3 Na2S2O3 KNO2 KClO4 KClO3 KBrO3 KIO4 KMnO4 FeAsS CoAsS NiSbS".split()
MIXED_VALENCE = """
Fe3O4 Mn3O4 Co3O4 Pb3O4 Sb2O4 V6O13 V3O5 Ti4O7 Mo4O11 W18O49 Pr6O11 Tb4O7 U3O8 Eu3O4 Eu3S4 Fe3S4 Co3S4 Fe7S8 In4Se3
Ta6Cl15 Nb6Cl14 LiMn2O4 YBa2Cu3O7 NaV2O5 Sn2S3 Cr3S4 Cr5S6 Fe2F5 Cr2F5
""".split()
BONDED_ANIONS = """
FeS2 CoS2 NiS2 ZnSe2 CoSe2 NiSe2 TiS3 ZrS3 ZrSe3 NbS3 TaSe3 VS4 BaS2 BaS3 Na2S2 K2S3 Na2S4 K2S5 Cs2S6 K2Se3 Cs2Te5
Na2O2 K2O2 Li2O2 BaO2 SrO2 CaO2 ZnO2 KO2 RbO2 CsO2 NaO2 KO3 CsO3 NaN3 LiN3 KN3 Ba(N3)2 Sr(N3)2 BaN2 SrN2
""".split()
MADE_UP = """
NaCl2 Na2Cl MgCl MgCl3 Ca2F2 CaF3 NaF2 KF3 Al2O2 Al2O AlF2 AlF4 AlCl SiCl3 SiF3 ZnCl ZnCl3 Zn2O Cd2S CdCl3 SrCl SrBr3
BaI3 BaF LaF4 LaO2 La2O5 Y2O5 Li2F Li3O Li4S NaO4 NaS8 K3O Ca2O Ca3O2 Ca2Cl Mg2O Mg2N Al3N2 AlN3F ZrO3 ZrF5 HfCl5 TiF5
TiCl5 ThF5 ZrCl6 NaTiF7 LiAlF5 KMgF4 KMgF2 CaTiF7 Na2TiO MgAlO NaMgO NaAlCl3 KZnCl4 Na3F2 NaK2Cl Sr2ClF Li2Cl NaAlF5
LaAlO2 LaAlO Mg2Si2O CaSiF5 KLaCl5 Cs2ZnBr5 Cs3NaCl
""".split()
BEYOND = "K2S2O8 NaClO2 K2MnO4 PtAs2 CsI3 Ca2N".split()  # real, but of another kind of bond, or of a rarer state


def balanced(formula, rule):
    composition = Composition(formula).reduced_composition
    counts = {element.symbol: int(amount) for element, amount in composition.items()}
    return is_charge_balanced(tuple(counts), tuple(counts.values()), rule)


def passing(formulas, rule):
    return [formula for formula in formulas if balanced(formula, rule)]


@pytest.mark.parametrize("rule", [STRICT, COMMON])
def test_salts_and_minerals_pass_both_rules(rule):
    assert passing(SALTS, rule) == SALTS


@pytest.mark.parametrize("formulas", [RARE_STATES, MIXED_VALENCE, BONDED_ANIONS])
def test_what_only_the_common_rule_knows(formulas):
    assert passing(formulas, COMMON) == formulas
    assert passing(formulas, STRICT) == []


@pytest.mark.parametrize("rule", [STRICT, COMMON])
def test_what_is_made_up_fails(rule):
    assert passing(MADE_UP, rule) == []


def test_the_limits_of_the_common_rule():
    """Peroxodisulfate, polyiodides and electrides would need rules that let anything pass."""
    assert passing(BEYOND, COMMON) == []


def test_the_order_of_the_elements_and_of_the_formula_does_not_matter():
    assert is_charge_balanced(("O", "Fe"), (4, 3), COMMON)
    assert is_charge_balanced(("Fe", "O"), (6, 8), COMMON)
    assert not is_charge_balanced(("Cl", "Na"), (2, 1), COMMON)


def every_sum(states, n):
    """Sums of n atoms in at most two neighboring states, by listing all of them."""
    pairs = [(state,) for state in states] + [states[i : i + 2] for i in range(len(states) - 1)]
    return {sum(atoms) for pair in pairs for atoms in combinations_with_replacement(pair, n)}


def searched(elements, counts, rule):
    """The rule without bonds of anions, by trying all signs and all states of all atoms."""
    values = electronegativities()
    place = [(symbol in ANIONS, values.get(symbol, 0.0)) for symbol in elements]
    for signs in product((1, -1), repeat=len(elements)):
        cations, anions = ([p for p, s in zip(place, signs, strict=True) if s == sign] for sign in (1, -1))
        if not cations or not anions or max(cations) >= min(anions):
            continue
        sums = [
            every_sum(
                [q for q, share in reported_states()[symbol].items() if q * s > 0 and share >= rule.least_share], n
            )
            for symbol, s, n in zip(elements, signs, counts, strict=True)
        ]
        if any(sum(chosen) == 0 for chosen in product(*sums)):
            return True
    return False


def test_the_rule_is_a_search_over_all_states_of_all_atoms():
    rng = np.random.default_rng(7)
    symbols = "Na Ca Fe Cu Ti Sn P As C H N O S Se Te Cl I".split()
    verdicts = []
    for _ in range(400):
        elements = tuple(str(symbol) for symbol in rng.choice(symbols, size=rng.integers(2, 5), replace=False))
        counts = tuple(int(n) for n in rng.integers(1, 6, size=len(elements)))
        rule = type(COMMON)(least_share=0.02, mixed_valence=True)
        verdicts.append(searched(elements, counts, rule))
        assert is_charge_balanced(elements, counts, rule) == verdicts[-1], (elements, counts)
    assert 40 < sum(verdicts) < 360


def test_the_common_rule_refuses_nothing_that_the_strict_one_passes():
    rng = np.random.default_rng(8)
    symbols = sorted(reported_states())
    strict = 0
    for _ in range(3000):
        elements = tuple(str(symbol) for symbol in rng.choice(symbols, size=3, replace=False))
        counts = tuple(int(n) for n in rng.integers(1, 5, size=3))
        if is_charge_balanced(elements, counts, STRICT):
            strict += 1
            assert is_charge_balanced(elements, counts, COMMON), (elements, counts)
    assert strict > 30


@pytest.mark.parametrize(
    ("symbols", "neutral"),
    [(["Na", "Cl"], True), (["Mg"] * 2 + ["Cl"] * 2, False), (["Na", "K"], True), (["Ti", "Al", "Al"], True)],
)
def test_without_an_anion_there_is_nothing_to_balance(symbols, neutral):
    assert is_neutral(np.array([ATOMIC_NUMBERS[symbol] for symbol in symbols])) is neutral


def test_rules_by_name():
    assert (charge_rule("strict"), charge_rule("common"), charge_rule("off")) == (STRICT, COMMON, None)


def test_elements_without_states_are_named():
    check_states(["Na", "Cl", "Pm"], COMMON)
    with pytest.raises(LodestoneError, match="no oxidation states are known of Ar, He") as refused:
        check_states(["Na", "He", "Ar"], COMMON)
    assert "discovery.charge_balance: off" in refused.value.remedy


def test_most_stable_compounds_of_the_materials_project_pass_and_few_random_ones(shared_data):
    rows = pl.read_parquet(shared_data / "mp_energies.parquet", columns=["formula", "energy_above_hull"])
    formulas = rows.filter(pl.col("energy_above_hull") <= 1e-9)["formula"].unique().sort().sample(4000, seed=0)
    real, random, rng = [], [], np.random.default_rng(0)
    for formula in formulas:
        composition = Composition(formula).reduced_composition
        counts = tuple(int(amount) for amount in composition.values())
        elements = tuple(element.symbol for element in composition)
        if set(elements) & set(ANIONS) and any(element.is_metal for element in composition):
            real.append(is_charge_balanced(elements, counts))
            drawn = rng.choice(sorted(electronegativities().keys() & reported_states()), len(elements), replace=False)
            if set(drawn) & set(ANIONS):
                random.append(is_charge_balanced(tuple(drawn.tolist()), counts))
    assert len(real) > 2000
    assert np.mean(real) > 0.945
    assert np.mean(random) < 0.4
