"""docker-compose.yml and Dockerfile, as far as they can be checked without Docker.

`compose-spec.json` is the schema that the Compose Specification publishes (Apache License 2.0, its commit 170098b),
without the descriptions. What this cannot show: that images build and containers find each other.
"""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
APP_SERVICES = {"migrate", "web", "beat", "worker-cpu", "worker-default", "worker-gpu"}


@pytest.fixture(scope="module")
def compose() -> Any:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def dockerfile() -> str:
    return (ROOT / "Dockerfile").read_text().replace("\\\n", " ")


def test_the_file_keeps_to_the_published_schema(compose: Any) -> None:
    schema = json.loads(Path(__file__).with_name("compose-spec.json").read_text())
    validator = jsonschema.Draft7Validator(schema)
    assert [error.message for error in validator.iter_errors(compose)] == []
    compose = {**compose, "services": {"web": {"image": "x", "helthcheck": {}}}}
    assert [error.message for error in validator.iter_errors(compose)], "the schema refuses nothing"


def test_everything_named_is_defined(compose: Any) -> None:
    assert set(compose["services"]) == APP_SERVICES | {"postgres", "redis", "proxy"}
    for service in compose["services"].values():
        assert set(service.get("depends_on", {})) <= set(compose["services"])
        assert set(service["networks"]) <= set(compose["networks"])
        assert {volume.split(":")[0] for volume in service.get("volumes", [])} <= set(compose["volumes"])


def test_nothing_starts_before_the_database_is_migrated(compose: Any) -> None:
    services = compose["services"]
    assert services["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for name in APP_SERVICES - {"migrate"}:
        assert services[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


def test_only_the_proxy_is_reached_from_outside_and_workers_reach_only_the_stores(compose: Any) -> None:
    assert [name for name, service in compose["services"].items() if "ports" in service] == ["proxy"]
    assert compose["networks"]["back"]["internal"] is True
    for name in ("worker-cpu", "worker-gpu", "worker-default"):
        assert compose["services"][name]["networks"] == ["back"]


def test_no_secret_is_written_down(compose: Any) -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    for secret in ("SECRET_KEY", "POSTGRES_PASSWORD"):
        values = re.findall(rf"^\s+{secret}: (.+)$", text, re.MULTILINE)
        assert values
        assert all(value.startswith(f"${{{secret}:?") for value in values)


def test_every_queue_has_a_worker(compose: Any) -> None:
    services = compose["services"].values()
    commands = [word for service in services for word in service.get("command", [])]
    queues = {queue for word in commands if word.startswith("--queues=") for queue in word.partition("=")[2].split(",")}
    assert queues == {"cpu", "gpu", "default"}
    devices = compose["services"]["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert devices[0]["driver"] == "nvidia"


def test_the_image_copies_what_exists_and_the_builder_is_given_it() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for line in dockerfile().splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            for source in shlex.split(line)[1:-1]:
                assert (ROOT / source).exists(), source
                assert f"!{source}" in ignored, source


def test_the_images_do_not_run_as_root() -> None:
    app, app_vllm = dockerfile().split("FROM ")[-2:]
    assert re.findall(r"^USER (\S+)$", app, re.MULTILINE) == ["cascade"]
    assert app.index("USER cascade") < app.index("CMD ")
    assert re.findall(r"^USER (\S+)$", app_vllm, re.MULTILINE) == ["root", "cascade"]


def test_the_images_that_are_built_are_in_the_dockerfile(compose: Any) -> None:
    stages = set(re.findall(r"^FROM \S+ AS (\S+)$", dockerfile(), re.MULTILINE))
    assert {compose["services"][name]["build"]["target"] for name in APP_SERVICES} == {"app", "app-vllm"} <= stages
