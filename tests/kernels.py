"""What a machine without a GPU can tell of Triton kernels."""

import inspect
import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT


def assert_cases_pass(cases: str) -> None:
    """Run a file of tests in Triton's interpreter, in a process of its own."""
    pytest.importorskip("triton")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", cases, "-p", "no:cacheprovider"],
        cwd=ROOT,
        env=os.environ | {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout and "skipped" not in done.stdout


def parameters(kernel) -> list[str]:
    """The names of a kernel's parameters."""
    return list(inspect.signature(kernel.fn).parameters)


def assert_compiles_for_hopper(kernel, types: dict[str, str], constants: dict[str, object]) -> None:
    """Compile a kernel to machine code of an H100.

    Args:
        kernel: made by ``triton.jit``.
        types: of its parameters, as Triton writes them.
        constants: its compile-time parameters.
    """
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    names = parameters(kernel)
    types = types | dict.fromkeys(constants, "constexpr")
    places = {(names.index(name),): value for name, value in constants.items()}
    source = ASTSource(fn=kernel, signature={n: types[n] for n in names}, constexprs=places)
    compiled = triton.compile(source, target=GPUTarget("cuda", 90, 32))
    assert compiled.asm["cubin"]
    assert ".target sm_90" in compiled.asm["ptx"]
