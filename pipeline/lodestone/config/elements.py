"""Element symbols by atomic number, without importing a chemistry package."""

SYMBOLS: tuple[str, ...] = tuple(
    (
        "X H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y "
        "Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os "
        "Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr"
    ).split()
)
ATOMIC_NUMBERS: dict[str, int] = {symbol: number for number, symbol in enumerate(SYMBOLS) if number}


def check_element(symbol: str) -> str:
    """Return the symbol if it is an element.

    Raises:
        ValueError: If it is not an element.
    """
    if symbol not in ATOMIC_NUMBERS:
        raise ValueError(f"{symbol!r} is no element; write symbols like Na, and 'No' in quotes")
    return symbol


def check_system(system: str) -> str:
    """Return the chemical system, e.g. ``Li-Fe-O``, if it consists of elements.

    Raises:
        ValueError: Names the symbol that is not an element.
    """
    for symbol in system.split("-"):
        check_element(symbol)
    return system
