"""Settings. Everything that differs between machines is an environment variable; the defaults serve `make up`."""

import os
import secrets
from pathlib import Path
from urllib.parse import urlsplit

import dj_database_url
from csp.constants import NONE, SELF, UNSAFE_INLINE
from django.core.exceptions import ImproperlyConfigured

from runs.management.embedded import postgres_url, redis_url
from workers.judges import JudgeError, declared_judges

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(os.environ.get("CASCADE_VAR", BASE_DIR / "var")).resolve()
ARTIFACTS_DIR = Path(os.environ.get("ARTIFACTS_DIR", VAR_DIR / "artifacts"))
MODELS_DIR = Path(os.environ.get("MODELS_DIR", VAR_DIR / "models"))
ALLOW_HUB = os.environ.get("CASCADE_ALLOW_HUB") == "1"  # whether workers may download models from the hub

# What data sets may be registered from by path: folders, separated as in PATH; the web and every worker see them alike.
DATA_DIRS = [Path(folder).resolve() for folder in os.environ.get("DATA_DIRS", "").split(os.pathsep) if folder]
# Folders below which tasks of the lm-evaluation-harness may be asked, likewise; what more they may do, only the operator says.
TASKS_DIRS = [Path(folder).resolve() for folder in os.environ.get("TASKS_DIRS", "").split(os.pathsep) if folder]
ALLOW_TASK_CODE = os.environ.get("ALLOW_TASK_CODE", "").lower() in ("1", "true", "yes")  # Python that a folder brings
ALLOW_TASK_DOWNLOADS = os.environ.get("ALLOW_TASK_DOWNLOADS", "").lower() in ("1", "true", "yes")
MAX_UPLOAD_BYTES = int(os.environ.get("CASCADE_MAX_UPLOAD_BYTES", str(4 * 1024**3)))

# Models that grade what no rule can, by the names that recipes know them by; workers/judges.py has the form.
try:
    JUDGES = declared_judges(os.environ)
except JudgeError as error:
    raise ImproperlyConfigured(str(error)) from None


def _secret_key() -> str:
    """Take SECRET_KEY, or make one that only this user can read, once."""
    if given := os.environ.get("SECRET_KEY"):
        return given
    if os.environ.get("DATABASE_URL"):
        raise ImproperlyConfigured(
            "found DATABASE_URL without SECRET_KEY; set SECRET_KEY to a long random text of your own"
        )
    path = VAR_DIR / "secret_key"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(50))
    return path.read_text()


SECRET_KEY = _secret_key()
DEBUG = os.environ.get("CASCADE_DEBUG") == "1"
PUBLIC_URL = os.environ.get("PUBLIC_URL", "")  # e.g. https://cascade.example.org, behind a reverse proxy
_public = urlsplit(PUBLIC_URL)
ALLOWED_HOSTS = [_public.hostname] if _public.hostname else ["localhost", "127.0.0.1", "[::1]"]
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL] if PUBLIC_URL else []

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "knox",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "runs",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "cascade_web.urls"
ASGI_APPLICATION = "cascade_web.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "runs.pages.context.shell",
            ],
        },
    },
]

# State and messages

# No persistent connections: under ASGI each request has its own thread, whose connection would outlive it unused.
DATABASES = {"default": dj_database_url.parse(os.environ.get("DATABASE_URL") or postgres_url(VAR_DIR))}
DATABASES["default"].setdefault("OPTIONS", {}).setdefault("connect_timeout", 5)  # seconds; else a lost host hangs pages
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = os.environ.get("REDIS_URL") or redis_url(VAR_DIR)
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://")
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True  # the database holds results
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "beat-schedule")
CELERY_BEAT_SCHEDULE = {
    "tend every run": {"task": "workers.tend_all", "schedule": 15.0, "options": {"queue": "default", "expires": 15.0}}
}
CELERY_TASK_ALWAYS_EAGER = False

LEASE_SECONDS = float(os.environ.get("CASCADE_LEASE_SECONDS", "30"))  # silence after which others may claim the work
FOLDER_MODEL_QUEUE = os.environ.get("CASCADE_FOLDER_MODEL_QUEUE", "cpu")  # "gpu" where GPU workers listen

# Access

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend", "sesame.backends.ModelBackend"]
SESAME_ONE_TIME = True
SESAME_MAX_AGE = 600
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "runs.api.authentication.BearerAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["runs.api.bodies.JSONBody"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "runs.api.problems.problem_response",
}
REST_KNOX = {"AUTH_HEADER_PREFIX": "Bearer", "TOKEN_TTL": None, "AUTO_REFRESH": False}
SPECTACULAR_SETTINGS = {
    "TITLE": "Cascade Web",
    "DESCRIPTION": "Define, run and review Cascade RL post-training.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "ENUM_NAME_OVERRIDES": {
        "LossAverageEnum": ["token", "sequence"],  # GRPO has a third, in an enum of its own
        "KindEnum": ["sft", "grpo", "mopd"],  # of a stage; notices have kinds of their own
        "EngineEnum": ["auto", "torch", "vllm"],  # of a stage; tasks of the harness have others
        "NoticeKindEnum": "runs.models.NoticeKind",
    },
}

# Security: over plain HTTP only on loopback; a PUBLIC_URL with https turns the rest on

_https = _public.scheme == "https"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _https else None
SECURE_SSL_REDIRECT = _https
SECURE_REDIRECT_EXEMPT = [r"^health/?$"]
SECURE_HSTS_SECONDS = 31_536_000 if _https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _https
SECURE_HSTS_PRELOAD = _https
SESSION_COOKIE_SECURE = _https
CSRF_COOKIE_SECURE = _https
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "style-src": [SELF, UNSAFE_INLINE],  # Plotly sizes its drawings with style attributes
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# Files, words, time

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = VAR_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
DATA_UPLOAD_MAX_NUMBER_FIELDS = 20_000  # a recipe of 64 stages in one form
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "INFO"},
}
