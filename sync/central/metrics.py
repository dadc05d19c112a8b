"""What central counts for Prometheus. Devices are not named, people and their health even less."""

from __future__ import annotations

import math

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from sync.central.database import DatabaseDown
from sync.central.ingest import Lane
from sync.central.intake import Taken
from sync.central.store import Store

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)


class Metrics:
    """The metrics of one application, in a registry of its own."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self._batches = Counter("campusgate_batches", "Batches taken, by lane.", ["lane"], registry=registry)
        self._records = Counter(
            "campusgate_records", "Records stored for the first time, by lane.", ["lane"], registry=registry
        )
        self._duplicates = Counter(
            "campusgate_duplicate_records", "Records that were here already.", registry=registry
        )
        self._refused_records = Counter(
            "campusgate_refused_records", "Records refused in a receipt.", ["reason"], registry=registry
        )
        self.refused = Counter(
            "campusgate_refused_batches",
            "Batches refused, by the problem's type and HTTP status.",
            ["reason", "status"],
            registry=registry,
        )
        self._raised = Counter(
            "campusgate_raised_alarms", "Alarms raised by batches, by kind.", ["kind"], registry=registry
        )
        self._alarms = Gauge(
            "campusgate_alarms", "Alarms in the database, each with its evidence.", registry=registry
        )
        self.shed = Counter(
            "campusgate_shed_batches", "Batches refused with 503, to come again later.", registry=registry
        )
        self.bytes = Counter(
            "campusgate_received_bytes",
            "Bytes of batches as they came, by content coding.",
            ["coding"],
            registry=registry,
        )
        self.seconds = Histogram(
            "campusgate_ingest_seconds",
            "From a batch's whole body to its receipt.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.in_work = Gauge("campusgate_batches_in_work", "Batches in work.", registry=registry)
        self._missing = Gauge(
            "campusgate_missing_records",
            "Records that central lacks although it has later ones of the same device.",
            registry=registry,
        )
        self._up = Gauge("campusgate_database_up", "Whether the database answers.", registry=registry)

    def took(self, lane: Lane, taken: Taken) -> None:
        """Count a batch that was taken."""
        self._batches.labels(lane).inc()
        self._records.labels(lane).inc(taken.records)
        self._duplicates.inc(taken.duplicates)
        for refused in taken.receipt.refused:
            self._refused_records.labels(refused.reason).inc()
        for kind in taken.alarms:
            self._raised.labels(kind).inc()

    def page(self, store: Store) -> bytes:
        """All metrics in Prometheus' text format, also while the database is down."""
        try:
            self._missing.set(store.missing())
            self._alarms.set(store.counts()["alarm"])
            self._up.set(1)
        except DatabaseDown:
            self._missing.set(math.nan)
            self._alarms.set(math.nan)
            self._up.set(0)
        return generate_latest(self._registry)
