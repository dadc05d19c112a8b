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
    PERSON_REVOKED = "person.revoked"
    PERSON_EXPIRED = "person.expired"
    PERSON_NOT_YET_VALID = "person.not-yet-valid"
    PERSON_NOT_ADMITTED = "person.not-admitted"
    HEALTH_FEVER = "health.fever"
    HEALTH_DECLARED = "health.declared"
    THERMAL_UNAVAILABLE = "thermal.unavailable"
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
    Reason.THERMAL_UNAVAILABLE: Sentence(
        "无法测量体温", "No temperature reading", "请由值班人员测温", "Please have it taken by the attendant"
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
