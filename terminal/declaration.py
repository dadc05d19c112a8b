"""The day's health declaration (R4, R19, R21): what a person says of their own health. It decides nothing.

It arrives in a personal code; of one that central has, a roster line says only whether the person is well.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from typing import Any

FEVER = 373
"""Tenths of a degree Celsius from which a declared temperature is of concern."""


class Symptom(IntFlag):
    """Symptoms a person may declare (R19)."""

    COUGH = 1
    FEVER = 2
    FATIGUE = 4
    BREATHING = 8
    OTHER = 16


@dataclass(frozen=True, slots=True)
class Declaration:
    """One declaration: tenths of a degree Celsius or None, symptoms, contact with a case."""

    decidegrees: int | None
    symptoms: Symptom
    contact: bool

    @property
    def symptom_names(self) -> list[str]:
        """The declared symptoms, such as ["cough", "fever"]."""
        return [str(symptom.name).lower() for symptom in self.symptoms]

    @property
    def well(self) -> bool:
        """Whether nothing in it is of concern: no symptom, no contact, no temperature from 37.3 °C."""
        fever = self.decidegrees is not None and self.decidegrees >= FEVER
        return not (self.symptoms or self.contact or fever)

    def __str__(self) -> str:
        """What was declared, such as "36.4 °C, cough, contact", or "well"."""
        heat = self.decidegrees
        said = [f"{heat // 10}.{heat % 10} °C"] if heat is not None else []
        return ", ".join([*said, *self.symptom_names, *(["contact"] if self.contact else [])]) or "well"

    def to_list(self) -> list[Any]:
        """The declaration as codes carry it."""
        return [self.decidegrees, int(self.symptoms), self.contact]

    @classmethod
    def from_list(cls, value: Any) -> Declaration:
        """The declaration in a claim. Raises: ValueError, TypeError when it is malformed."""
        temperature, symptoms, contact = value
        if temperature is not None and (type(temperature) is not int or not 300 <= temperature <= 450):
            raise ValueError("declared temperature is not in tenths of a degree")
        if type(symptoms) is not int or not 0 <= symptoms < 32 or not isinstance(contact, bool):
            raise ValueError("declared symptoms or contact are malformed")
        return cls(temperature, Symptom(symptoms), contact)
