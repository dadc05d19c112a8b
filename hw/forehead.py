"""From the skin of the forehead to the temperature of the body: the arterial heat balance.

The heat that the blood brings to the skin is the heat that the skin gives to the air:
perfusion * c_blood * (T_body - T_skin) = h * (T_skin - T_ambient), hence

    T_body = T_skin + k * (T_skin - T_ambient),  k = h / (perfusion * c_blood)

Source of the model: F. Pompei, M. Pompei, "Noninvasive temporal artery thermometry: physics, physiology, and
clinical accuracy", Proc. SPIE 5405 (2004), doi:10.1117/12.544841; of k = 0.19 at the forehead in a person at
rest: the patent family of US 6,292,685 ("Temporal artery temperature detector", claims: "h/pc at the minimum
is about 0.19"; it rises above and below normal temperature, which is left out here: it would need the very
number that is sought).

Where it holds: air of 14 to 32 degrees, the range in which A. Chen et al., "A comparative study of forehead
temperature and core body temperature under varying ambient temperature conditions", IJERPH 19 (2022) 15883,
found forehead and body to go together. In warmer air they do not: J. T. Fisher et al., Sensors 22 (2022) 826,
found a relationship at 22 and 25 degrees and none at 35. Outside, there is no number at all: a bare skin
temperature taken for that of the body is low by several degrees and would hide every fever.

This never makes a medical thermometer of a sensor: single readings differ from the body by half a degree and
more. It only makes readings of one gate comparable with each other and with a threshold.
"""

from __future__ import annotations

COLDEST, WARMEST = 14.0, 32.0  # degrees Celsius of ambient in which the model holds


def body_temperature(skin: float, ambient: float, heat_balance: float) -> float | None:
    """The body's temperature behind forehead skin; None where the model does not hold.

    All in degrees Celsius. heat_balance: k above, such as 0.19.
    """
    if not COLDEST <= ambient <= WARMEST or not skin >= ambient:
        return None
    return skin + heat_balance * (skin - ambient)
