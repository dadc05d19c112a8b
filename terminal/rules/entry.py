"""May this person enter this place at this time, and are they not inside already?"""

from __future__ import annotations

from collections.abc import Iterator

from terminal.findings import Finding, Mark, MarkKind, Violation, ViolationKind, judged, refused
from terminal.person import PersonKind
from terminal.policy import Permit
from terminal.reasons import Notice, Reason
from terminal.rules.attendance import leaves
from terminal.rules.days import end_of_day
from terminal.situation import Scene

PERMIT = "entry permits"
PASSBACK = "R33c anti-passback"
INSIDE = ""  # the name of the one mark of entry that a terminal remembers of a person


def permits(scene: Scene) -> Iterator[Finding]:
    """Nobody enters a place with permits but who has one, at the time that it names."""
    if not scene.place.entry:
        return
    mine = [permit for permit in scene.place.entry if _names(permit, scene)]
    if not mine:
        yield refused(
            PERMIT, Reason.PERSON_NOT_ADMITTED, "no permit of this place names the person or a group"
        )
    elif any(not permit.timed for permit in mine):
        yield Finding(PERMIT, "a permit without hours names the person or a group")
    elif scene.local is None:
        yield judged(
            PERMIT, "refer", Reason.CLOCK_UNTRUSTED, "the permits have hours, and the clock is not trusted"
        )
    elif any(permit.at(scene.local) for permit in mine):
        yield Finding(PERMIT, f"a permit holds at {scene.local:%a %H:%M}")
    else:
        yield refused(PERMIT, Reason.ENTRY_HOURS, f"no permit holds at {scene.local:%a %H:%M}")


def _names(permit: Permit, scene: Scene) -> bool:
    if not permit.kinds and not permit.groups:
        return True
    person = scene.situation.person
    kind = person.kind if person else PersonKind.VISITOR
    return kind in permit.kinds or not scene.groups.isdisjoint(permit.groups)


def passback(scene: Scene) -> Iterator[Finding]:
    """A person who is inside comes again: a code that was passed back. An attendant's word settles it."""
    mode, since = scene.place.anti_passback, scene.marked(MarkKind.ENTRY, INSIDE)
    if mode == "off":
        return
    now = int(scene.situation.now.timestamp())
    settled = scene.situation.registration or leaves(scene)
    if since is None or settled or not _inside(scene, since, now):
        yield Finding(PASSBACK, "the person is not taken to be inside")
        return
    violation = Violation(ViolationKind.PASSBACK, {"inside_since": since})
    said = f"the person came in {now - since} s ago"
    if mode == "soft":
        yield Finding(PASSBACK, f"{said}; let in and noted", notice=Notice.PASSBACK, violation=violation)
    else:
        yield refused(PASSBACK, Reason.ENTRY_INSIDE, said, violation)


def _inside(scene: Scene, since: int, now: int) -> bool:
    if scene.place.anti_passback == "timed":
        return 0 <= now - since < scene.place.passback_minutes * 60
    return now - since >= 0 and now < end_of_day(scene, since)


def entered(scene: Scene) -> Iterator[Finding]:
    """Remember that the person came in, or went out, where that matters."""
    if scene.place.anti_passback == "off":
        return
    if leaves(scene):
        yield Finding(
            PASSBACK, "the person leaves", mark=Mark(MarkKind.ENTRY, INSIDE, replaces=MarkKind.ENTRY)
        )
        return
    now = int(scene.situation.now.timestamp())
    timed = scene.place.anti_passback == "timed"
    until = now + scene.place.passback_minutes * 60 if timed else end_of_day(scene, now)
    yield Finding(PASSBACK, "the entry is remembered", mark=Mark(MarkKind.ENTRY, INSIDE, keep_until=until))
