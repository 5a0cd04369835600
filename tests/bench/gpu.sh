#!/usr/bin/env bash
# Proves and measures hnclip on a GPU in at most eight minutes: no network, no installation.
#
#   bash tests/bench/gpu_bundle.sh BUNDLE      on a machine with a package index, makes the folder
#   bash BUNDLE/project/tests/bench/gpu.sh     on the machine with the GPU
#   bash tests/bench/gpu.sh --device cpu       small, to see that it runs
#
# Arguments go on to tests/bench/gpu/run.py. PYTHON names the interpreter, BUNDLE the folder.
set -euo pipefail
cd "$(dirname "$0")/../.."
BUNDLE=${BUNDLE:-$(cd .. && pwd)}
if [ ! -d "$BUNDLE/data" ]; then
    echo "no $BUNDLE/data; make a bundle with tests/bench/gpu_bundle.sh, or set BUNDLE" >&2
    exit 2
fi
python=${PYTHON:-python3}
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
if ! "$python" -c "import ftfy, open_clip, orjson" 2> /dev/null; then
    PYTHONPATH+=":$BUNDLE/site"
fi
exec "$python" -m tests.bench.gpu.run --data "$BUNDLE/data" --output "${OUTPUT:-gpu.json}" "$@"
