"""A trainer runs code that a model wrote: it is told no secret."""

import pytest

from workers import launch

SECRETS = {
    "DATABASE_URL": "postgres://a@b/c",
    "REDIS_URL": "redis://b",
    "SECRET_KEY": "s",
    "CASCADE_SECRET_KEY": "s",
    "PGPASSWORD": "s",
    "POSTGRES_PASSWORD": "s",
    "HF_TOKEN": "s",
    "HUGGING_FACE_HUB_TOKEN": "s",
    "AWS_SECRET_ACCESS_KEY": "s",
    "AWS_ACCESS_KEY_ID": "s",
    "WANDB_API_KEY": "s",
    "SENTRY_DSN": "https://key@sentry.example/1",
    "CELERY_BROKER_URL": "redis://b",
    "GOOGLE_APPLICATION_CREDENTIALS": "/key.json",
    "db_passwd": "s",
    "HTTPS_PROXY": "http://user:word@proxy.example:3128",
}


@pytest.mark.parametrize(("name", "value"), SECRETS.items())
def test_secrets_stay_with_the_worker(name: str, value: str, monkeypatch) -> None:
    monkeypatch.setenv(name, value)
    assert name not in launch._environment()


@pytest.mark.parametrize(
    "name", ["PATH", "HOME", "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "CASCADE_ENGINE", "TOKENIZERS_PARALLELISM"]
)
def test_what_a_trainer_needs_is_kept(name: str, monkeypatch) -> None:
    monkeypatch.setenv(name, "/usr/lib:1")
    assert name in launch._environment()
