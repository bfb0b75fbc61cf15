"""Files of the form of a POTCAR, with made-up numbers, where pymatgen looks for pseudopotentials."""

from collections.abc import Iterable
from pathlib import Path

from vasprun_xml import VALENCE

from lodestone.vasp.inputs import INPUT_SETS

TEXT = """  PAW_PBE {name} 06Sep2000
 {valence:.1f}
 parameters from PSCTR are:
   VRHFIN ={element}: made up
   LEXCH  = PE
   EATOM  =   100.0000 eV,    7.0000 Ry

   TITEL  = PAW_PBE {name} 06Sep2000
   LULTRA =        F    use ultrasoft PP ?
   IUNSCR =        1    unscreen: 0-lin 1-nonlin 2-no
   RPACOR =    1.000    partial core radius
   POMASS =   10.000; ZVAL   =    {valence:.3f}    mass and valenz
   RCORE  =    1.500    outmost cutoff radius
   RWIGS  =    1.500; RWIGS  =    0.794    wigner-seitz radius (au A)
   ENMAX  =  300.000; ENMIN  =  200.000 eV
   LCOR   =        T    correct aug charges
   LPAW   =        T    paw PP
   EAUG   =  500.000
   END of PSCTR-controll parameters
 local part
   0.1000000E+01
 End of Dataset
"""


def write_potentials(folder: Path, elements: Iterable[str]) -> Path:
    for functional, input_set in (("POT_GGA_PAW_PBE", "MPRelaxSet"), ("POT_GGA_PAW_PBE_54", "MPScanRelaxSet")):
        names = INPUT_SETS[input_set].numbers()["POTCAR"]
        for element in elements:
            file = folder / functional / f"POTCAR.{names[element]}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(TEXT.format(name=names[element], element=element, valence=VALENCE))
    return folder
