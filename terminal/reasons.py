"""Why somebody was let in or not: stable codes for machines, Chinese and English sentences for people.

A code, once released, keeps its meaning for good; central and reports rely on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What the terminal does with the person: let in, turn away, or call the attendant."""

    ALLOW = "allow"
    DENY = "deny"
    REFER = "refer"


class Reason(StrEnum):
    """Why. The part before the dot says what was looked at."""

    OK = "ok"
    CODE_FOREIGN = "code.foreign"
    CODE_OVERSIZE = "code.oversize"
    CODE_DAMAGED = "code.damaged"
    CODE_UNSUPPORTED = "code.unsupported"
    CODE_ISSUER_UNKNOWN = "code.issuer-unknown"
    CODE_FORGED = "code.forged"
    CODE_STALE = "code.stale"
    CODE_FUTURE = "code.future"
    CODE_REPLAYED = "code.replayed"
    CODE_NOT_YET_VALID = "code.not-yet-valid"
    CODE_EXPIRED = "code.expired"
    CODE_WRONG_PLACE = "code.wrong-place"
    CODE_OTHER_PLACE = "code.other-place"
    CODE_UNBOUND = "code.unbound"
    PERSON_UNKNOWN = "person.unknown"
    PERSON_SUSPENDED = "person.suspended"
    PERSON_ISOLATED = "person.isolated"
    PERSON_REVOKED = "person.revoked"
    PERSON_EXPIRED = "person.expired"
    PERSON_NOT_YET_VALID = "person.not-yet-valid"
    PERSON_NOT_ADMITTED = "person.not-admitted"
    ENTRY_HOURS = "entry.hours"
    ENTRY_INSIDE = "entry.inside"
    CLASS_NONE = "class.none"
    CLASS_OTHER = "class.other"
    EVENT_UNINVITED = "event.uninvited"
    EVENT_FULL = "event.full"
    HEALTH_FEVER = "health.fever"
    HEALTH_DECLARED = "health.declared"
    HEALTH_CONTACT = "health.contact"
    HEALTH_UNDECLARED = "health.undeclared"
    THERMAL_UNAVAILABLE = "thermal.unavailable"
    THERMAL_TOO_FAR = "thermal.too-far"
    THERMAL_TOO_BRIEF = "thermal.too-brief"
    MANUAL_ATTENDANT = "manual.attendant"
    MANUAL_SELF = "manual.self"
    MANUAL_LIMIT = "manual.limit"
    LOCKDOWN = "gate.lockdown"
    CLOCK_UNTRUSTED = "clock.untrusted"
    ROSTER_MISSING = "roster.missing"
    ROSTER_ALTERED = "roster.altered"
    ROSTER_EXPIRED = "roster.expired"
    ROSTER_ROLLED_BACK = "roster.rolled-back"
    ROSTER_SWAPPED = "roster.swapped"
    ROSTER_OVERSIZE = "roster.oversize"
    ROSTER_WRONG_KEYS = "roster.wrong-keys"
    ROSTER_STALE = "roster.stale"
    POLICY_MISSING = "policy.missing"
    JOURNAL_UNWRITABLE = "journal.unwritable"
    CAMERA_UNAVAILABLE = "camera.unavailable"
    TERMINAL_FAULT = "terminal.fault"
    READY = "ready"
    MANUAL_READY = "manual.ready"
    MANUAL_NUMBER = "manual.number"
    ONE_AT_A_TIME = "ready.one-at-a-time"


@dataclass(frozen=True, slots=True)
class Sentence:
    """What the person reads: a headline, and what to do (either may be long; the screen fits it)."""

    zh: str
    en: str
    advice_zh: str = ""
    advice_en: str = ""


_ATTENDANT = ("请联系值班人员", "Please see the attendant")
_REFRESH = ("请刷新校园码后重试", "Refresh your code and try again")
_WAIT = ("请联系值班人员，设备需要维护", "Please see the attendant: this terminal needs service")

SENTENCES: dict[Reason, Sentence] = {
    Reason.OK: Sentence("请通行", "Welcome"),
    Reason.CODE_FOREIGN: Sentence(
        "这不是校园码", "Not a campus code", "请出示校园码", "Please show your campus code"
    ),
    Reason.CODE_OVERSIZE: Sentence(
        "这不是校园码", "Not a campus code", "请出示校园码", "Please show your campus code"
    ),
    Reason.CODE_DAMAGED: Sentence("校园码损坏", "Code damaged", *_REFRESH),
    Reason.CODE_UNSUPPORTED: Sentence("校园码版本不支持", "Code type not supported", *_REFRESH),
    Reason.CODE_ISSUER_UNKNOWN: Sentence("发码单位未知", "Issuer unknown", *_ATTENDANT),
    Reason.CODE_FORGED: Sentence("校园码签名无效", "Code not genuine", *_ATTENDANT),
    Reason.CODE_STALE: Sentence("校园码已过时", "Code too old", *_REFRESH),
    Reason.CODE_FUTURE: Sentence(
        "手机时间不准", "Phone clock is ahead", "请校准手机时间", "Please set your phone's clock"
    ),
    Reason.CODE_REPLAYED: Sentence("校园码已使用", "Code already used", *_REFRESH),
    Reason.CODE_NOT_YET_VALID: Sentence("凭证尚未生效", "Pass not valid yet", *_ATTENDANT),
    Reason.CODE_EXPIRED: Sentence("凭证已过期", "Pass has expired", *_ATTENDANT),
    Reason.CODE_WRONG_PLACE: Sentence("凭证不适用于此处", "Pass not valid here", *_ATTENDANT),
    Reason.CODE_OTHER_PLACE: Sentence(
        "此码用于其他地点", "Code is for another place", "请扫描此处设备码", "Scan the code on this screen"
    ),
    Reason.CODE_UNBOUND: Sentence(
        "请先扫描设备码", "Scan this terminal first", "请扫描此处设备码", "Scan the code on this screen"
    ),
    Reason.PERSON_UNKNOWN: Sentence("查无此人", "Person not found", *_ATTENDANT),
    Reason.PERSON_SUSPENDED: Sentence("通行权限已停用", "Access suspended", *_ATTENDANT),
    Reason.PERSON_ISOLATED: Sentence(
        "隔离期间不得入内", "Told to isolate", "请返回隔离处并联系校医", "Please go back and call the nurse"
    ),
    Reason.PERSON_REVOKED: Sentence("通行权限已取消", "Access revoked", *_ATTENDANT),
    Reason.PERSON_EXPIRED: Sentence("通行权限已到期", "Access has expired", *_ATTENDANT),
    Reason.PERSON_NOT_YET_VALID: Sentence("通行权限尚未生效", "Access not valid yet", *_ATTENDANT),
    Reason.PERSON_NOT_ADMITTED: Sentence("无此处通行权限", "Not admitted here", *_ATTENDANT),
    Reason.HEALTH_FEVER: Sentence(
        "体温偏高", "High temperature", "请到一旁休息并联系校医", "Please step aside and see the nurse"
    ),
    Reason.HEALTH_DECLARED: Sentence(
        "健康申报异常", "Health declaration", "请联系校医", "Please see the nurse"
    ),
    Reason.HEALTH_CONTACT: Sentence(
        "申报有接触史", "Contact declared", "请联系校医并等候安排", "Please see the nurse and wait for advice"
    ),
    Reason.HEALTH_UNDECLARED: Sentence(
        "今日未健康申报", "No declaration today", "请先在手机上填报", "Please fill it in on your phone first"
    ),
    Reason.THERMAL_UNAVAILABLE: Sentence(
        "无法测量体温", "No temperature reading", "请由值班人员测温", "Please have it taken by the attendant"
    ),
    Reason.THERMAL_TOO_FAR: Sentence(
        "请靠近测温处", "Please step closer", "额头对准测温窗", "Forehead towards the sensor"
    ),
    Reason.THERMAL_TOO_BRIEF: Sentence(
        "测温时间不足", "Measured too briefly", "请站稳后重试", "Please hold still and try again"
    ),
    Reason.ENTRY_HOURS: Sentence(
        "现在不是开放时间", "Not open to you now", "请在规定时间前来", "Please come at the permitted time"
    ),
    Reason.ENTRY_INSIDE: Sentence("已经入内", "Already inside", *_ATTENDANT),
    Reason.CLASS_NONE: Sentence(
        "此处现在没有课", "No class here now", "请核对课表", "Please check your timetable"
    ),
    Reason.CLASS_OTHER: Sentence(
        "这不是您的课", "Not your class", "请核对教室和课表", "Please check room and timetable"
    ),
    Reason.EVENT_UNINVITED: Sentence("不在活动名单上", "Not on the guest list", *_ATTENDANT),
    Reason.EVENT_FULL: Sentence("活动人数已满", "The event is full", "请稍后再试", "Please try again later"),
    Reason.MANUAL_ATTENDANT: Sentence(
        "无人工登记权限", "Not an attendant", "请值班人员出示校园码", "An attendant's code is needed"
    ),
    Reason.MANUAL_SELF: Sentence(
        "不能为本人登记", "Not for yourself", "请出示校园码", "Please show your campus code"
    ),
    Reason.MANUAL_LIMIT: Sentence(
        "本小时登记已达上限", "Too many this hour", "请联系管理部门", "Please call the office"
    ),
    Reason.MANUAL_READY: Sentence(
        "人工登记", "Manual registration", "值班人员请出示校园码", "Attendant: show your code"
    ),
    Reason.MANUAL_NUMBER: Sentence(
        "请输入学号或工号", "Enter the number", "确认键登记，取消键退出", "Enter registers, Esc ends"
    ),
    Reason.LOCKDOWN: Sentence(
        "校方已关闭通道",
        "Gate closed by the school",
        "请按校方通知行事",
        "Please follow the school's instructions",
    ),
    Reason.CLOCK_UNTRUSTED: Sentence("设备时间异常", "Terminal clock is wrong", *_WAIT),
    Reason.ROSTER_MISSING: Sentence("名册未就绪", "Roster not available", *_WAIT),
    Reason.ROSTER_ALTERED: Sentence("名册校验失败", "Roster failed verification", *_WAIT),
    Reason.ROSTER_EXPIRED: Sentence("名册已过期", "Roster has expired", *_WAIT),
    Reason.ROSTER_ROLLED_BACK: Sentence("名册被替换为旧版", "Roster was rolled back", *_WAIT),
    Reason.ROSTER_SWAPPED: Sentence("名册文件错位", "Roster files are swapped", *_WAIT),
    Reason.ROSTER_OVERSIZE: Sentence("名册文件过大", "Roster is too large", *_WAIT),
    Reason.ROSTER_WRONG_KEYS: Sentence("名册签名单位不符", "Roster signed by a stranger", *_WAIT),
    Reason.ROSTER_STALE: Sentence("名册久未更新", "Roster too old for visitors", *_ATTENDANT),
    Reason.POLICY_MISSING: Sentence("通行规则未就绪", "Policy not available", *_WAIT),
    Reason.JOURNAL_UNWRITABLE: Sentence("无法保存记录", "Cannot write records", *_WAIT),
    Reason.CAMERA_UNAVAILABLE: Sentence("摄像头异常", "Camera not working", *_WAIT),
    Reason.TERMINAL_FAULT: Sentence("设备故障", "Terminal fault", *_WAIT),
    Reason.READY: Sentence("请出示校园码", "Show your campus code"),
    Reason.ONE_AT_A_TIME: Sentence("请一个一个来", "One at a time, please"),
}


class Notice(StrEnum):
    """What is noted besides the verdict, for central and staff."""

    CLOCK_UNTRUSTED = "clock-untrusted"
    LAST_TRUSTED_TIME = "last-trusted-time"  # a personal code was judged by it, not by the time now
    ROSTER_OLD = "roster-old"
    NO_TEMPERATURE = "no-temperature"
    MISMATCH = "declared-mismatch"  # declared and measured health differ: to be verified (R33b)
    PASSBACK = "passback"  # let in although taken to be inside
    UNDECLARED = "undeclared"  # registered by an attendant, without the day's declaration
    UNRECORDED = "unrecorded"  # let in without a record, as the policy says for an escape route
    ALREADY = "already-done"  # checked in, present or signed in before
