"""Some hundred bad inputs for each reader; ``python -m tests.fuzz.run`` tries them for hours."""

import pytest
from hypothesis import HealthCheck, given, settings

from tests.fuzz.mutations import nearly
from tests.fuzz.targets import TARGETS, check


@pytest.mark.parametrize("name", TARGETS)
def test_bad_bytes_give_results_or_errors_of_one_line(name, tmp_path):
    target = TARGETS[name]
    target.read(target.seeds[0], tmp_path)
    for seed in target.seeds:
        check(target, seed, tmp_path)

    @settings(max_examples=100, suppress_health_check=list(HealthCheck))
    @given(nearly(target))
    def case(data):
        check(target, data, tmp_path)

    case()
