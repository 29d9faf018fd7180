# Two images: `app` for web, beat and CPU workers; `app-vllm` adds vLLM and a compiler for GPU workers. PyPI's torch for
# Linux brings CUDA along, so that `app` can train on a GPU too.
FROM python:3.11-slim AS packages
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
COPY requirements.txt requirements-lm-eval.txt ./
RUN --mount=type=cache,target=/root/.cache/pip /opt/venv/bin/pip install -r requirements.txt -r requirements-lm-eval.txt

FROM packages AS packages-vllm
COPY requirements-vllm.txt .
RUN --mount=type=cache,target=/root/.cache/pip /opt/venv/bin/pip install -r requirements-vllm.txt

FROM python:3.11-slim AS app
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MALLOC_ARENA_MAX=2 \
    DJANGO_SETTINGS_MODULE=cascade_web.settings \
    CASCADE_VAR=/var/lib/cascade \
    ARTIFACTS_DIR=/artifacts \
    MODELS_DIR=/models
# git applies the patches of the grader `patches`; libseccomp2 is the sandbox's, and comes with apt
RUN apt-get update && apt-get install -y --no-install-recommends git libseccomp2 && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --create-home cascade \
    && install -d -o cascade -g cascade /var/lib/cascade /artifacts /models /data /tasks
COPY --from=packages /opt/venv /opt/venv
WORKDIR /app
COPY manage.py .
COPY cascade_web cascade_web
COPY runs runs
COPY workers workers
COPY templates templates
COPY static static
USER cascade
RUN SECRET_KEY=only-to-collect-static-files python manage.py collectstatic --noinput
EXPOSE 8000
CMD ["uvicorn", "cascade_web.asgi:application", "--host=0.0.0.0", "--port=8000", "--no-access-log", "--lifespan=off", "--timeout-graceful-shutdown=5"]

# Triton and torch.compile build their kernels at run time.
FROM app AS app-vllm
USER root
RUN apt-get update && apt-get install -y --no-install-recommends g++ && rm -rf /var/lib/apt/lists/* /opt/venv
COPY --from=packages-vllm /opt/venv /opt/venv
USER cascade
