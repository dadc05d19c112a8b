"""What a member of the maintenance staff may do."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """Each may do what those before it may."""

    OBSERVE = "observe"  # look
    MAINTAIN = "maintain"  # test, repair, carry records and rosters, close the gate and release it
    ADMIN = "admin"  # settings, time, accounts, provisioning, reset

    def includes(self, other: Role) -> bool:
        """Whether this role may do what `other` may."""
        order = list(Role)
        return order.index(self) >= order.index(other)
