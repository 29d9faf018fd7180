"""REST below /api/v1/: validate, call, serialise. A module per resource; `urls.py` lists them, docs/api.md explains."""
