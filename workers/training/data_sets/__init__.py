"""A team's own rows: how they are read and kept, and how they become problems of a domain.

`register.py` is a process that turns a source into a data set's folder (workers/data_dir.py); read it first. `sources.py`
reads files, `plain.py` and `nemo_gym.py` know what a row means, `domain.py` draws problems from what was kept.
"""
