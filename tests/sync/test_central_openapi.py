"""The published OpenAPI document, and central held to it by schemathesis."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from sync.central.app import create_app
from sync.central.site import Site
from sync.central.store import Store
from sync.protocol import BATCH_TYPE, BATCHES, LIVE, batch_body
from tests.sim.campus import Campus, build
from tests.sync.batches import chain, post
from tests.sync.conftest import NOBODY
from tests.sync.office import good
from tests.sync.world import listening

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]
bounded = settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def campus(tmp_path_factory: pytest.TempPathFactory) -> Campus:
    return build(tmp_path_factory.mktemp("campus"), seed=7, link_url=NOBODY)


@pytest.fixture(scope="module")
def app(campus: Campus) -> Any:
    store = Store(campus.site.database_url)
    yield create_app(campus.site, store)
    store.close()


@pytest.fixture(scope="module")
def api_schema(app: FastAPI) -> Any:
    return schemathesis.openapi.from_asgi("/openapi.json", app)


def test_central_answers_as_the_document_says(api_schema: Any) -> None:
    operations = [found.ok() for found in api_schema.get_all_operations()]
    assert len(operations) == 9
    for operation in operations:

        @seed(7)
        @bounded
        @given(case=operation.as_strategy())
        def answered(case: schemathesis.Case) -> None:
            case.call_and_validate(checks=CHECKS)

        answered()


@pytest.mark.parametrize("lane", [BATCHES, LIVE])
def test_signed_batches_of_any_kind_are_answered_as_the_document_says(
    lane: str, api_schema: Any, app: FastAPI, campus: Campus
) -> None:
    operation = api_schema[lane]["POST"]
    with listening(app) as url:

        @seed(7)
        @bounded
        @given(case=operation.as_strategy())
        def signed(case: schemathesis.Case) -> None:
            body = json.dumps(case.body).encode()
            answer = post(url, campus, body, lane=lane)
            assert answer.status_code in (200, 400, 409)
            operation.validate_response(answer)

        signed()
        for events in (chain(2), chain(4)[3:]):
            operation.validate_response(post(url, campus, batch_body(events), lane=lane))


def test_the_batch_routes_are_described_to_the_last(app: FastAPI) -> None:
    document = app.openapi()
    assert document["openapi"].startswith("3.1")
    for lane in (BATCHES, LIVE):
        described = document["paths"][lane]["post"]
        assert list(described["requestBody"]["content"]) == [BATCH_TYPE]
        names = {one["name"] for one in described["parameters"]}
        assert names == {"Content-Digest", "Signature-Input", "Signature", "Content-Encoding"}
        statuses = {"200", "400", "401", "403", "408", "409", "413", "415", "503"}
        assert statuses <= set(described["responses"])
        for status in statuses - {"200"}:
            assert list(described["responses"][status]["content"]) == ["application/problem+json"]
        assert "Retry-After" in described["responses"]["503"]["headers"]


def test_the_command_prints_what_is_published(site: Site, tmp_path: Path) -> None:
    printed = json.loads(good(site, "central", "openapi"))
    store = Store(site.database_url)
    assert printed == create_app(site, store).openapi()
    store.close()
