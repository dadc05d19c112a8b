"""Temperature and declared health: what leads to the nurse (R4, R17 to R21), what does not add up (R33b)."""

from __future__ import annotations

from collections.abc import Iterator

from hw.thermal import ThermalState, degrees
from terminal.declaration import Declaration, Symptom
from terminal.findings import Finding, Violation, ViolationKind, judged
from terminal.reasons import Notice, Reason
from terminal.situation import Scene

MEASURED = "R17 temperature"
DECLARED = "R4 declaration"
MISMATCH = "R33b mismatch"
_REASONS = {ThermalState.TOO_FAR: Reason.THERMAL_TOO_FAR, ThermalState.OK: Reason.THERMAL_TOO_BRIEF}


def declarations(scene: Scene) -> Iterator[tuple[str, Declaration]]:
    """The day's declarations with their source: the code's, and central's if it is of this very day."""
    code, person = scene.situation.code, scene.situation.person
    if code and code.declaration:
        yield "code", code.declaration
    if person and person.declared and scene.local and person.declared.day == scene.local.date().isoformat():
        yield "central", person.declared.declaration


def temperature(scene: Scene) -> Iterator[Finding]:
    """A fever by the terminal's own reading, or no reading that counts where one is needed."""
    reading, terms = scene.situation.reading, scene.policy.thermal
    if reading.decidegrees is not None and reading.decidegrees >= terms.fever:
        said = f"{reading.celsius} °C measured, fever is from {degrees(terms.fever)}"
        yield judged(MEASURED, terms.at_fever, Reason.HEALTH_FEVER, said)
        return
    brief = reading.decidegrees is not None and reading.seconds < terms.min_seconds
    if reading.decidegrees is not None and not brief:
        yield Finding(MEASURED, f"{reading.celsius} °C measured")
    elif scene.place.thermal and (scene.situation.registration is None or scene.policy.manual.thermal):
        said = f"measured for only {reading.seconds:.1f} s" if brief else f"no temperature: {reading.state}"
        reason = _REASONS.get(reading.state, Reason.THERMAL_UNAVAILABLE)
        yield judged(MEASURED, terms.without(reading.state), reason, said)
    else:
        yield Finding(MEASURED, "no temperature is needed here")


def declared(scene: Scene) -> Iterator[Finding]:
    """Declared fever, symptoms or contact, and no declaration where one is needed."""
    terms, found = scene.policy.health, list(declarations(scene))
    if not found and scene.place.declaration:
        if scene.situation.registration:
            said = "no declaration of this day; an attendant vouches"
            yield Finding(DECLARED, said, notice=Notice.UNDECLARED)
        else:
            said = "no declaration of this day"
            yield judged(DECLARED, terms.undeclared, Reason.HEALTH_UNDECLARED, said)
    for source, declaration in found:
        heat, symptoms = declaration.decidegrees, declaration.symptoms
        if heat is not None and heat >= scene.policy.thermal.fever:
            said = f"{degrees(heat)} °C declared ({source})"
            yield judged(DECLARED, scene.policy.thermal.at_fever, Reason.HEALTH_FEVER, said)
        if symptoms:
            said = f"{', '.join(str(one.name).lower() for one in symptoms)} declared ({source})"
            consequence = terms.at_breathing if Symptom.BREATHING in symptoms else terms.at_symptoms
            yield judged("R19 symptoms", consequence, Reason.HEALTH_DECLARED, said)
        if declaration.contact:
            yield judged(
                "R21 contact", terms.at_contact, Reason.HEALTH_CONTACT, f"contact declared ({source})"
            )
        if not symptoms and not declaration.contact:
            yield Finding(DECLARED, f"declared in good health ({source})")


def mismatch(scene: Scene) -> Iterator[Finding]:
    """Declared and measured temperature differ by more than the policy allows, or only one is a fever."""
    measured, fever = scene.situation.reading.decidegrees, scene.policy.thermal.fever
    if measured is None:
        return
    for source, declaration in declarations(scene):
        heat = declaration.decidegrees
        hidden = (
            measured >= fever and Symptom.FEVER not in declaration.symptoms and (heat is None or heat < fever)
        )
        if hidden or (heat is not None and abs(heat - measured) > scene.policy.health.mismatch):
            evidence = {"source": source, "declared": degrees(heat), "measured": degrees(measured)}
            yield Finding(
                MISMATCH,
                f"{degrees(heat) or 'no temperature'} declared ({source}), {degrees(measured)} °C measured",
                notice=Notice.MISMATCH,
                violation=Violation(ViolationKind.FALSE_REPORT, evidence),
            )
