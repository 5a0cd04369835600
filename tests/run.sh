#!/usr/bin/env bash
# Sets up .venv (once, and again when pyproject.toml changes) and runs every check.
#
#   bash tests/run.sh [PYTEST ARGUMENTS]
#
# Real captions and photographs are read from HNCLIP_TEST_DATA (default ../shared/data); tests
# that need them are skipped where the folder is absent.
set -euo pipefail
cd "$(dirname "$0")/.."

stamp=.venv/hnclip-installed
if ! cmp -s pyproject.toml "$stamp"; then
    echo "Setting up .venv (PyTorch is large)"
    "${PYTHON:-python3}" -m venv .venv
    .venv/bin/pip install -q -e ".[en,dev]"
    cp pyproject.toml "$stamp"
fi

.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
.venv/bin/pytest -n auto --dist loadscope --no-loadscope-reorder -rs "$@"
