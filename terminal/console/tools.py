"""Tools at the line: the session of one client that speaks JSON lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from config import VERSION
from config.errors import CampusgateError, SettingsError
from hw.serial_line import LineLost
from terminal.console.command import Refused
from terminal.console.json_lines import JsonLines, Malformed, ToolDialogue
from terminal.console.login import LoginRefused
from terminal.console.people import SETTER_UP, described
from terminal.console.prompt import Ended
from terminal.console.session import User
from terminal.console.staff import NOBODY, StaffSession, Station
from terminal.console.wire import Interrupted, Wire

_IDLE_MINUTES = 2.0  # a tool that says nothing for so long is gone


class Tools:
    """Serves tools on `wire`. ending: why the console is to stop, "" while it is not."""

    def __init__(self, station: Station, wire: Wire, ending: Callable[[], str]) -> None:
        self._station, self._wire, self._ending = station, wire, ending

    def serve(self) -> None:
        """One session, until the tool says `exit`. Raises: LineLost, Ended when the console is to stop."""
        lines = JsonLines(self._wire, self._why_end)
        user, session, reason = NOBODY, None, "the line was lost"
        lines.say(
            {
                "console": "campusgate",
                "version": VERSION,
                "device": self._station.device() or None,
                "provisioned": self._station.provisioned,
                "challenge": self._challenge(),
            }
        )
        try:
            while True:
                request: dict[str, Any] = {}
                try:
                    self._wire.begin()
                    request = lines.next()
                    if request.get("do") == "exit":
                        reason = "logged out"
                        self._answer(lines, request, {})
                        return
                    if "login" in request:
                        user = self._logged_in(request["login"])
                        if session and session.user != SETTER_UP:
                            session.record("logout", {"why": f"{user.name} logged in"})
                        session = self._begun(lines, user, request)
                        session.record("login", {})
                        self._answer(lines, request, described(user))
                        continue
                    if session is None or session.user == SETTER_UP:
                        session = self._before_login(lines, request)
                    session.line = ToolDialogue(self._wire, lines, request.get("id"), self._ending)
                    _, answer = session.run(_command(request))
                    self._answer(lines, request, answer)
                except Interrupted:
                    lines.say({"id": request.get("id"), "ok": False, "error": "interrupted"})
                except (Ended, LineLost):
                    raise
                except (CampusgateError, OSError) as error:
                    lines.say({"id": request.get("id"), "ok": False, "error": str(error)})
        except Ended as ended:
            reason = str(ended)
            lines.say({"ok": False, "error": reason})
            if self._ending():
                raise
        finally:
            if session and session.user != SETTER_UP:
                session.record("logout", {"why": reason})

    def _why_end(self) -> str:
        if self._wire.silence > _IDLE_MINUTES * 60:
            return f"nothing was said for {_IDLE_MINUTES:g} minutes"
        return self._ending()

    def _challenge(self) -> str | None:
        try:
            return self._station.login().challenge()
        except SettingsError:
            return None

    def _logged_in(self, given: Any) -> User:
        """Raises: LoginRefused, SettingsError, Malformed."""
        if not isinstance(given, Mapping):
            raise Malformed('"login" is {"name": ..., "password": ...} or {"response": ...}')
        try:
            if "response" in given:
                return self._station.login().response(str(given["response"]))
            return self._station.login().password(str(given.get("name", "")), str(given.get("password", "")))
        except LoginRefused as refused:
            self._station.denied(refused.reason)
            raise

    def _begun(self, lines: JsonLines, user: User, request: Mapping[str, Any]) -> StaffSession:
        return StaffSession(
            self._station, user, ToolDialogue(self._wire, lines, request.get("id"), self._ending)
        )

    def _before_login(self, lines: JsonLines, request: Mapping[str, Any]) -> StaffSession:
        if self._station.provisioned:
            raise Refused('log in first: {"id": 1, "login": {"name": ..., "password": ...}}')
        return self._begun(lines, SETTER_UP, request)

    def _answer(self, lines: JsonLines, request: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        lines.say({"id": request.get("id"), "ok": True, "answer": answer})


def _command(request: Mapping[str, Any]) -> str:
    given = request.get("do")
    if not isinstance(given, str):
        raise Malformed('a request is {"id": N, "do": "a command"}')
    return given
