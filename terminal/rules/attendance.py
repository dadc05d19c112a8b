"""What a scan counts as: daily check-in, make-up, arrival, class, event (R5, R6, R11 to R14).

Guests and classes can also refuse; the marks that are made only when somebody is let in come last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from terminal.findings import Finding, Mark, MarkKind, judged, refused
from terminal.person import Absence, PersonKind
from terminal.policy import Event, Session
from terminal.policy.calendar import Window
from terminal.reasons import Notice, Reason
from terminal.rules.days import DAY, end_of_day
from terminal.situation import Scene

CLASS, EVENT, CHECK_IN, MAKE_UP, ARRIVAL = (
    "R5 class", "R6 event", "R11 check-in", "R12 make-up", "R14 arrival",
)  # fmt: skip
_AGAIN = 60  # seconds after signing in before a scan signs out: whoever scans twice has not left
_LEAVING = timedelta(hours=1)  # after an event, for signing out of it: most people leave when it is over


def classes(scene: Scene) -> Iterator[Finding]:
    """Somebody comes to a classroom for a class that they do not take, or while there is none."""
    table, name = scene.policy.timetable, scene.situation.place
    if scene.local is None or not table.has(name):
        return
    person = scene.situation.person
    if (person.kind if person else PersonKind.VISITOR) in table.exempt:
        yield Finding(CLASS, "people of that kind need take no class here")
        return
    sessions = table.sessions(name, scene.local, scene.policy.calendar)
    if not sessions:
        said = f"no class at {scene.local:%a %H:%M}"
        yield judged(CLASS, table.outside, Reason.CLASS_NONE, said)
    elif not _mine(scene, sessions):
        said = f"{sessions[0].lesson.course} is not a class of the person's"
        yield judged(CLASS, table.not_yours, Reason.CLASS_OTHER, said)


def present(scene: Scene) -> Iterator[Finding]:
    """Present at a class, or late for it."""
    if scene.local is None or not scene.policy.timetable.has(scene.situation.place):
        return
    sessions = scene.policy.timetable.sessions(scene.situation.place, scene.local, scene.policy.calendar)
    mine = _mine(scene, sessions)
    new = [session for session in mine if scene.marked(MarkKind.ATTENDANCE, session.name) is None]
    if new:
        late = new[0].late if new[0].late > scene.policy.timetable.grace_minutes else 0
        said = f"{new[0].name}: {f'late by {late} min' if late else 'present'}"
        yield Finding(CLASS, said, mark=_of_the_day(scene, MarkKind.ATTENDANCE, new[0].name, late))
    elif mine:
        yield Finding(CLASS, f"{mine[0].name}: marked before", notice=Notice.ALREADY)


def guests(scene: Scene) -> Iterator[Finding]:
    """Somebody comes to an event who is not invited, or when it is full."""
    here = [event for event in scene.policy.events.values() if event.place == scene.situation.place]
    if here and scene.local is None:
        yield judged(
            EVENT, "refer", Reason.CLOCK_UNTRUSTED, "events have hours, and the clock is not trusted"
        )
        return
    on = _events(scene)
    invited = {name: event for name, event in on.items() if _invited(event, scene)}
    if on and not invited:
        yield refused(EVENT, Reason.EVENT_UNINVITED, f"not invited to {', '.join(on)}")
    if invited and not any(_has_room(event, name, scene) for name, event in invited.items()):
        full = [f"{name}: {scene.situation.inside.get(name, 0)} of {on[name].capacity}" for name in invited]
        yield refused(EVENT, Reason.EVENT_FULL, f"{', '.join(full)} are inside")


def leaves(scene: Scene) -> bool:
    """Whether the scan signs out of an event: whoever leaves does not come in again."""
    return bool(_left(scene))


def signed_in(scene: Scene) -> Iterator[Finding]:
    """Sign out of an event; whoever leaves none signs in."""
    left = _left(scene)
    for name in left:
        mark = Mark(MarkKind.SIGN_OUT, name, replaces=MarkKind.SIGN_IN)
        yield Finding(EVENT, f"{name}: signed out", mark=mark)
    if left:
        return
    for name, event in _events(scene).items():
        if not _invited(event, scene) or not _has_room(event, name, scene):
            continue
        if scene.marked(MarkKind.SIGN_IN, name) is None:
            ends = int(event.end.replace(tzinfo=scene.policy.calendar.zone).timestamp())
            mark = Mark(MarkKind.SIGN_IN, name, keep_until=ends + DAY)
            yield Finding(EVENT, f"{name}: signed in", mark=mark)
        else:
            yield Finding(EVENT, f"{name}: signed in before", notice=Notice.ALREADY)


def checked_in(scene: Scene) -> Iterator[Finding]:
    """The daily check-in: in time, late, made up, done before; on another campus, the arrival there."""
    person = scene.situation.person
    if scene.local is None or person is None or not scene.place.check_in:
        return
    campus, mine = scene.place.campus, scene.policy.campuses_of(person.groups)
    if campus and mine and campus not in mine:
        name = f"{scene.local.date()}/{campus}"
        if scene.marked(MarkKind.ARRIVAL, name) is None:
            yield Finding(ARRIVAL, f"arrived on {campus}", mark=_of_the_day(scene, MarkKind.ARRIVAL, name))
        else:
            yield Finding(ARRIVAL, f"arrived on {campus} before", notice=Notice.ALREADY)
        return
    absences = [one for one in person.absences if _can_be_made_up(one, scene)]
    new: set[str] = set()  # two absences from one day may be made up by one scan
    for absence in absences:
        name = scene.policy.calendar.date_of(absence.start)
        made_up = scene.marked(MarkKind.MAKE_UP, name)
        # One that was made before this absence ended was for another one from that day.
        if (made_up is None or made_up <= absence.end) and name not in new:
            new.add(name)
            mark = Mark(MarkKind.MAKE_UP, name, keep_until=absence.make_up_until)
            yield Finding(MAKE_UP, f"the absence from {name} is made up", mark=mark)
    window = scene.policy.check_in.window(scene.local, scene.policy.calendar)
    if window is None:
        yield Finding(CHECK_IN, f"no window at {scene.local:%a %H:%M}")
        return
    name = f"{window.day}/{window.half}"
    if scene.marked(MarkKind.CHECK_IN, name) is not None:
        yield Finding(CHECK_IN, f"{name}: checked in before", notice=Notice.ALREADY)
    elif window.late and _excused(absences, window, scene):  # reported in advance: not late but made up
        if not new:
            yield Finding(MAKE_UP, f"{name}: made up before", notice=Notice.ALREADY)
    else:
        said = f"{name}: {f'late by {window.late} min' if window.late else 'in time'}"
        yield Finding(CHECK_IN, said, mark=_of_the_day(scene, MarkKind.CHECK_IN, name, window.late))


def registered(scene: Scene) -> Iterator[Finding]:
    """Registered by hand: counted against the attendants' limit (R16)."""
    if scene.situation.registration:
        now = int(scene.situation.now.timestamp())
        mark = Mark(MarkKind.MANUAL, str(now), keep_until=now + 3600)
        yield Finding("R16 manual registration", "registered by hand", mark=mark)


def _mine(scene: Scene, sessions: list[Session]) -> list[Session]:
    return [session for session in sessions if not scene.groups.isdisjoint(session.lesson.groups)]


def _events(scene: Scene, when: Callable[[Event, datetime], bool] = Event.at) -> dict[str, Event]:
    if scene.local is None:
        return {}
    return {
        name: event
        for name, event in scene.policy.events.items()
        if event.place == scene.situation.place and when(event, scene.local)
    }


def _just_over(event: Event, local: datetime) -> bool:
    """Whether people may still be leaving it, while there is no other."""
    return event.end < local.replace(tzinfo=None) <= event.end + _LEAVING


def _left(scene: Scene) -> list[str]:
    """The events that the scan signs out of."""
    return [
        name
        for name, event in (_events(scene) or _events(scene, _just_over)).items()
        if event.sign_out and _invited(event, scene) and _inside_since(scene, name) is not None
    ]


def _inside_since(scene: Scene, name: str) -> int | None:
    """When the person signed in to an event, if it is long enough ago to sign out."""
    since = scene.marked(MarkKind.SIGN_IN, name)
    return since if since is not None and int(scene.situation.now.timestamp()) - since >= _AGAIN else None


def _invited(event: Event, scene: Scene) -> bool:
    return scene.situation.subject in event.people or not scene.groups.isdisjoint(event.groups)


def _has_room(event: Event, name: str, scene: Scene) -> bool:
    """Whether one more may be inside; whoever is inside already needs no more room."""
    inside, known = scene.situation.inside.get(name, 0), scene.marked(MarkKind.SIGN_IN, name)
    return event.capacity is None or inside < event.capacity or known is not None


def _excused(absences: list[Absence], window: Window, scene: Scene) -> bool:
    """Whether one of `absences` reaches into `window`: who was away as reported is not late for it."""
    calendar = scene.policy.calendar
    hours = scene.policy.check_in.hours(window.half, window.day, calendar)
    if hours is None:
        return False
    begins, ends = (
        moment.replace(tzinfo=calendar.zone).timestamp()
        for moment in (hours.start_on(window.day), hours.end_on(window.day))
    )
    return any(absence.start <= ends and absence.end >= begins for absence in absences)


def _can_be_made_up(absence: Absence, scene: Scene) -> bool:
    return absence.end < scene.situation.now.timestamp() <= absence.make_up_until


def _of_the_day(scene: Scene, kind: MarkKind, name: str, late: int = 0) -> Mark:
    """A mark that counts for this local day; kept for another one, for hours that run over midnight."""
    now = int(scene.situation.now.timestamp())
    return Mark(kind, name, late, keep_until=end_of_day(scene, now) + DAY)
