"""Temperature and declared health: what leads to the nurse (R4, R17 to R21), what does not add up (R33b)."""

from __future__ import annotations

from collections.abc import Iterator

from hw.thermal import ThermalState, degrees
from terminal.declaration import Declaration, Symptom
from terminal.findings import Finding, Violation, ViolationKind, judged
from terminal.policy import Policy
from terminal.reasons import Notice, Reason
from terminal.situation import Scene, Situation

MEASURED = "R17 temperature"
DECLARED = "R4 declaration"
MISMATCH = "R33b mismatch"
_REASONS = {ThermalState.TOO_FAR: Reason.THERMAL_TOO_FAR, ThermalState.OK: Reason.THERMAL_TOO_BRIEF}


def declared_well(situation: Situation, policy: Policy | None) -> bool | None:
    """Whether central has the person declared well for this very day; None when it has nothing of it."""
    person = situation.person
    if policy is None or person is None or person.declared is None or not situation.clock_trusted:
        return None
    today = policy.calendar.local(situation.now).date().isoformat()
    return person.declared.well if person.declared.day == today else None


def temperature(scene: Scene) -> Iterator[Finding]:
    """A fever by the terminal's own reading, or no reading that counts where one is needed."""
    reading, terms = scene.situation.reading, scene.policy.thermal
    needed = scene.place.thermal and (scene.situation.registration is None or scene.policy.manual.thermal)
    if reading.decidegrees is not None and reading.decidegrees >= terms.fever:
        said = f"{reading.celsius} °C measured, fever is from {degrees(terms.fever)}"
        # However it was measured: a fever is never let off more lightly than no temperature at all.
        unsure = reading.state is not ThermalState.OK or not reading.seconds >= terms.min_seconds
        graver = needed and unsure and terms.without(reading.state) == "deny"
        yield judged(MEASURED, "deny" if graver else terms.at_fever, Reason.HEALTH_FEVER, said)
        return
    measured = reading.state is ThermalState.OK and reading.decidegrees is not None
    brief = measured and not reading.seconds >= terms.min_seconds
    if measured and not brief:
        yield Finding(MEASURED, f"{reading.celsius} °C measured")
    elif needed:
        said = f"measured for only {reading.seconds:.1f} s" if brief else f"no temperature: {reading.state}"
        state = reading.state if brief or reading.state is not ThermalState.OK else ThermalState.IMPLAUSIBLE
        reason = _REASONS.get(state, Reason.THERMAL_UNAVAILABLE)
        yield judged(MEASURED, terms.without(state), reason, said)
    else:
        yield Finding(MEASURED, "no temperature is needed here")


def declared(scene: Scene) -> Iterator[Finding]:
    """Declared fever, symptoms or contact, and no declaration where one is needed."""
    terms, code = scene.policy.health, scene.situation.code
    shown, well = code.declaration if code else None, declared_well(scene.situation, scene.policy)
    if shown is None and well is None and scene.place.declaration:
        if scene.situation.registration:
            said = "no declaration of this day; an attendant vouches"
            yield Finding(DECLARED, said, notice=Notice.UNDECLARED)
        else:
            said = "no declaration of this day"
            yield judged(DECLARED, terms.undeclared, Reason.HEALTH_UNDECLARED, said)
    if shown is not None:
        yield from _shown(scene, shown)
    if well:
        yield Finding(DECLARED, "declared well (central)")
    elif well is False:
        yield judged(DECLARED, terms.at_symptoms, Reason.HEALTH_DECLARED, "declared unwell (central)")


def _shown(scene: Scene, declaration: Declaration) -> Iterator[Finding]:
    """What the declaration in the code leads to."""
    terms, heat, symptoms = scene.policy.health, declaration.decidegrees, declaration.symptoms
    if heat is not None and heat >= scene.policy.thermal.fever:
        yield judged(
            DECLARED, scene.policy.thermal.at_fever, Reason.HEALTH_FEVER, f"{degrees(heat)} °C declared"
        )
    if symptoms:
        said = f"{', '.join(declaration.symptom_names)} declared"
        consequence = terms.at_breathing if Symptom.BREATHING in symptoms else terms.at_symptoms
        yield judged("R19 symptoms", consequence, Reason.HEALTH_DECLARED, said)
    if declaration.contact:
        yield judged("R21 contact", terms.at_contact, Reason.HEALTH_CONTACT, "contact declared")
    if not symptoms and not declaration.contact:
        yield Finding(DECLARED, "neither symptoms nor contact declared")


def mismatch(scene: Scene) -> Iterator[Finding]:
    """Declared and measured temperature differ by more than the policy allows, or only one is a fever."""
    measured, fever, code = (
        scene.situation.reading.decidegrees,
        scene.policy.thermal.fever,
        scene.situation.code,
    )
    if measured is None:
        return
    if code and (said := code.declaration):
        heat = said.decidegrees
        hidden = measured >= fever and Symptom.FEVER not in said.symptoms and (heat is None or heat < fever)
        if hidden or (heat is not None and abs(heat - measured) > scene.policy.health.mismatch):
            yield _false_report("code", degrees(heat) or "no temperature", degrees(measured))
    if measured >= fever and declared_well(scene.situation, scene.policy):
        yield _false_report("central", "well", degrees(measured))


def _false_report(source: str, declared_as: str, measured: str) -> Finding:
    evidence: dict[str, str | int] = {"source": source, "declared": declared_as, "measured": measured}
    return Finding(
        MISMATCH,
        f"{declared_as} declared ({source}), {measured} °C measured",
        notice=Notice.MISMATCH,
        violation=Violation(ViolationKind.FALSE_REPORT, evidence),
    )
