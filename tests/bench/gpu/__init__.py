"""The GPU kit: what tests/bench/gpu.sh runs, a module a stage."""
