"""People from a CSV file as schools have them: Chinese or English headers, UTF-8 or GB18030.

An empty cell says nothing: what central knows of that person stays. Every line that cannot be taken is named.
Groups may stand in several columns (a department, a class): together they are the person's groups.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, TypeVar

from config.errors import SettingsError
from sync.central.people import Entry
from terminal.codes import from_compressed
from terminal.person import SUBJECT, PersonKind, Status
from terminal.policy.values import NAME_PATTERN

_HEADERS = {
    "sub": ("sub", "subject", "id", "number", "学号", "工号", "编号", "学工号", "人员编号"),
    "name": ("name", "姓名", "名字"),
    "kind": ("kind", "type", "类别", "类型", "人员类别", "身份"),
    "status": ("status", "状态"),
    "from": ("from", "valid_from", "生效日期", "开始日期", "有效期起"),
    "until": ("until", "valid_until", "失效日期", "截止日期", "有效期至", "有效期止"),
    "key": ("key", "phone_key", "公钥", "手机公钥"),
    "groups": ("groups", "group", "班级", "组", "部门"),
}
_COLUMNS = {header: column for column, headers in _HEADERS.items() for header in headers}
_NEEDED = ("kind", "name", "sub")
_KINDS = {
    "学生": PersonKind.STUDENT,
    "教职工": PersonKind.STAFF,
    "教师": PersonKind.STAFF,
    "职工": PersonKind.STAFF,
    "临时工": PersonKind.WORKER,
    "临时人员": PersonKind.WORKER,
    "外包人员": PersonKind.WORKER,
    "访客": PersonKind.VISITOR,
}
_STATUSES = {"正常": Status.ACTIVE, "停用": Status.SUSPENDED, "隔离": Status.ISOLATED, "注销": Status.REVOKED}
_DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?")
_UNDECODED = re.compile("[\ud800-\udfff]")  # what surrogateescape makes of a byte that is no text
_SEPARATORS = re.compile(r"[;；、|]")
_GROUP = re.compile(NAME_PATTERN)
_MAX_NAME = 100  # characters
_EVERY = 5000  # lines between two reports of progress

K = TypeVar("K", PersonKind, Status)


@dataclass(frozen=True, slots=True)
class Table:
    """What a file holds. encoding: how it was read. problems: a line each for what cannot be taken.

    unread: the headers of columns that mean nothing here.
    """

    encoding: str
    entries: list[Entry]
    problems: list[str]
    unread: tuple[str, ...] = ()


def read_people(path: Path, progress: Callable[[int], None] = lambda _line: None) -> Table:
    """The people in the CSV file `path`. progress: told the line number now and then.

    Raises: SettingsError when the file as a whole cannot be read as a list of people; OSError.
    """
    text, encoding = decode(path)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    rows = _rows(reader)
    entries: list[Entry] = []
    problems: list[str] = []
    lines: dict[str, int] = {}
    _, header, fault = next(rows, (1, [], ""))
    if fault:
        raise SettingsError([f"{path}:1: {fault}"])
    columns = _columns(header, path)
    for first, row, fault in rows:
        line = reader.line_num  # a quoted cell may run over several lines
        if first // _EVERY != line // _EVERY:
            progress(line)
        if fault and line > first:  # partial or not: who is in between, nobody knows
            raise SettingsError([*problems, f"{path}:{first}: is not CSV: a quote is not closed"])
        if not fault and not any(cell.strip() for cell in row):
            continue
        try:
            entry = _entry(_fitting(_whole(row, fault, encoding), len(header)), columns)
        except ValueError as error:
            problems.append(f"{path}:{first}: {error}")
            continue
        before = lines.setdefault(entry.subject, first)
        if before == first:
            entries.append(entry)
        else:
            problems.append(f"{path}:{first}: sub: {entry.subject!r} is in line {before} already")
    if not entries and not problems:
        raise SettingsError([f"{path}: has nobody in it"])
    unread = tuple(cell.strip() for cell in header if cell.strip() and _column(cell) is None)
    return Table(encoding, entries, problems, unread)


def decode(path: Path) -> tuple[str, str]:
    """The text of the file and its encoding; what is not text in it becomes lone surrogates.

    UTF-8 when most lines that are not plain ASCII are that, else GB18030: such lines are all but never UTF-8
    by chance, while most UTF-8 passes as GB18030. One bad byte must not turn every name into another.
    Raises: SettingsError when it is neither; OSError.
    """
    data = path.read_bytes()
    if data[:2] not in (b"\xff\xfe", b"\xfe\xff") and b"\0" not in data:
        lines = [line for line in data.splitlines() if not line.isascii()]
        for codec, name in (("utf-8-sig", "UTF-8"), ("gb18030", "GB18030")):
            if 2 * sum(_decodes(line, codec) for line in lines) > len(lines) or not lines:
                return data.decode(codec, "surrogateescape"), name
    raise SettingsError([f"{path}: is not CSV text in UTF-8 or GB18030; save it as “CSV UTF-8”"])


def _decodes(line: bytes, codec: str) -> bool:
    try:
        line.decode(codec)
    except UnicodeDecodeError:
        return False
    return True


def _rows(reader: Any) -> Iterator[tuple[int, list[str], str]]:
    """The rows of a CSV reader: the line each begins in, its cells, and what is wrong when it has none."""
    while True:
        first = reader.line_num + 1
        try:
            yield first, next(reader), ""
        except StopIteration:
            return
        except csv.Error as error:
            yield first, [], f"is not CSV ({error})"


def _whole(row: list[str], fault: str, encoding: str) -> list[str]:
    """`row` if nothing is wrong with it and all of it is text. Raises: ValueError."""
    if fault:
        raise ValueError(fault)
    for cell in row:
        if _UNDECODED.search(cell):
            raise ValueError(f"{cell!r:.80} is not {encoding}")
    return row


def _fitting(row: list[str], columns: int) -> list[str]:
    """`row` if every cell stands below a header. Raises: ValueError; who knows which cells slid aside."""
    if extra := [cell.strip() for cell in row[columns:] if cell.strip()]:
        raise ValueError(
            f"{extra[0]!r:.80} stands behind the last of {columns} columns: a cell with a comma in it needs "
            "quotes, several groups are separated by ;"
        )
    return row


def parse_time(text: str, *, end: bool, zone: tzinfo = UTC) -> int:
    """A date or a timestamp with its zone as Unix seconds; a date that is an `end` counts to its end.

    zone: where the date is one. Raises: ValueError.
    """
    try:
        if match := _DATE.fullmatch(text):
            day = datetime(*(int(part) for part in match.groups()), tzinfo=zone)  # type: ignore[arg-type,misc]
            return int((day + timedelta(days=1) if end else day).timestamp())
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text!r} is not a date such as 2027-07-01") from error
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no zone: write 2027-07-01 or 2027-07-01T08:00:00+08:00")
    return int(moment.timestamp())


def _delimiter(text: str) -> str:
    header = re.split("[\r\n]", text, maxsplit=1)[0]
    return max(",\t;", key=header.count)


def parse_groups(text: str) -> tuple[str, ...]:
    """The names of groups in `text`, separated by ; or 、 or |. Raises: ValueError naming the bad one."""
    names = tuple(dict.fromkeys(name.strip() for name in _SEPARATORS.split(text) if name.strip()))
    for name in names:
        if not _GROUP.match(name):
            raise ValueError(
                f"{name!r:.80} is not allowed: the policy's name of a group, lower-case letters, digits "
                "and -, several separated by ;"
            )
    return names


def _column(header: str) -> str | None:
    return _COLUMNS.get(header.strip().lower())


def _columns(header: Sequence[str], path: Path) -> Mapping[str, tuple[int, ...]]:
    """Where each column that we know is; only groups may have several."""
    found: dict[str, tuple[int, ...]] = {}
    for index, cell in enumerate(header):
        column = _column(cell)
        if column is None:
            continue
        if column in found and column != "groups":
            raise SettingsError(
                [f"{path}:1: {header[found[column][0]]} and {cell} are both the column {column}"]
            )
        found[column] = (*found.get(column, ()), index)
    missing = [column for column in _NEEDED if column not in found]
    if missing:
        raise SettingsError([f"{path}:1: column {', '.join(missing)} is missing"])
    return found


def _entry(row: Sequence[str], columns: Mapping[str, tuple[int, ...]]) -> Entry:
    def cell(column: str) -> str:
        return ";".join(row[at].strip() for at in columns.get(column, ()) if at < len(row))

    subject, name = cell("sub"), unicodedata.normalize("NFC", cell("name"))
    if not SUBJECT.fullmatch(subject):
        raise ValueError(
            f"sub: {subject!r:.80} is not allowed: 1 to 64 letters, digits, dots, dashes, underscores"
        )
    if not name:
        raise ValueError("name: is missing")
    if len(name) > _MAX_NAME or not name.isprintable():
        raise ValueError(f"name: {name!r:.80} is not allowed: at most {_MAX_NAME} printable characters")
    valid_from, valid_until = _time("from", cell("from")), _time("until", cell("until"))
    if valid_from is not None and valid_until is not None and valid_from >= valid_until:
        raise ValueError(f"until: {cell('until')!r} is before from")
    return Entry(
        subject,
        name,
        _one_of(PersonKind, _KINDS, "kind", cell("kind")),
        _one_of(Status, _STATUSES, "status", cell("status")) if cell("status") else None,
        _key(cell("key")),
        valid_from,
        valid_until,
        _groups(cell("groups")),
    )


def _groups(text: str) -> tuple[str, ...] | None:
    try:
        return parse_groups(text) or None
    except ValueError as error:
        raise ValueError(f"groups: {error}") from error


def _time(column: str, text: str) -> int | None:
    try:
        return parse_time(text, end=column == "until") if text else None
    except ValueError as error:
        raise ValueError(f"{column}: {error}") from error


def _key(text: str) -> bytes | None:
    if not text:
        return None
    try:
        key = bytes.fromhex(text)
        from_compressed(key)
    except ValueError:
        key = b""
    if len(key) != 33:
        raise ValueError(f"key: {text!r:.80} is not a compressed P-256 point in hex")
    return key


def _one_of(kinds: type[K], chinese: Mapping[str, K], column: str, value: str) -> K:
    if value in chinese:
        return chinese[value]
    try:
        return kinds(value.lower())
    except ValueError as error:
        allowed = ", ".join(kind.value for kind in kinds) + f", {', '.join(chinese)}"
        raise ValueError(f"{column}: {value!r:.80} is not allowed: one of {allowed}") from error
