"""What goes on at the made-up campus while the demo runs: a check-in, a class, an event.

It is always a little past noon there: the time zone is chosen so, that no demo runs into midnight.
"""

from __future__ import annotations

from datetime import datetime, timedelta

ROOM, HALL = "room-101", "hall"
CLASS, OTHER_CLASS, CHOIR = "class-1", "class-2", "choir"
GROUPS = ((CLASS,), (OTHER_CLASS,), (CHOIR,), ())
"""The groups of the made-up people, in turn."""

_NOON = 12


def zone_at_noon(now: datetime) -> str:
    """The time zone in which it is past twelve at `now` (UTC)."""
    ahead = _NOON - now.hour
    return f"Etc/GMT{-ahead:+d}" if ahead else "Etc/GMT"  # the sign is the other way round in this family


def agenda(now: datetime) -> str:
    """The demo's additions to the sample policy, as TOML. now: aware, UTC."""
    noon = now.replace(tzinfo=None) + timedelta(hours=_NOON - now.hour)
    return f"""
[calendar]
time_zone = "{zone_at_noon(now)}"

[check_in]
morning = {{ from = "06:00", to = "18:00" }}

[groups]
{CLASS} = {{ name_zh = "计算机一班", name_en = "Computing 1" }}
{OTHER_CLASS} = {{ name_zh = "计算机二班", name_en = "Computing 2" }}
{CHOIR} = {{ name_zh = "合唱团", name_en = "Choir" }}

[places.{ROOM}]
name_zh = "101 教室"
name_en = "Room 101"
purpose = "classroom"
check_in = false

[places.{HALL}]
name_zh = "礼堂"
name_en = "Hall"
purpose = "event"
check_in = false

[[timetable.lessons]]
course = "CS101"
name_zh = "程序设计"
name_en = "Programming"
place = "{ROOM}"
groups = ["{CLASS}"]
day = "{noon:%a}"
hours = {{ from = "11:50", to = "18:00" }}

[events.concert]
name_zh = "音乐会"
name_en = "Concert"
place = "{HALL}"
from = {noon - timedelta(hours=1):%Y-%m-%dT%H:%M:%S}
to = {noon + timedelta(hours=8):%Y-%m-%dT%H:%M:%S}
groups = ["{CHOIR}"]
capacity = 400
sign_out = true
""".replace(f'"{noon:%a}"', f'"{noon:%a}"'.lower())
