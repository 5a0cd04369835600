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
    .venv/bin/pip install -q "pyspark>=4" || echo "Without pyspark (it is large)"
    cp pyproject.toml "$stamp"
fi

# Tests of GNU parallel, make and Spark need programs; where these are absent, they are skipped.
missing=()
for program in parallel:parallel make:make java:default-jre-headless; do
    command -v "${program%:*}" > /dev/null || missing+=("${program#*:}")
done
if ((${#missing[@]})) && [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
    apt-get install -qq --no-install-recommends "${missing[@]}" > /dev/null || echo "Without ${missing[*]}"
fi

.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
.venv/bin/pytest -n auto --dist loadscope --no-loadscope-reorder -rs "$@"
