"""Intervals against a plain bootstrap that draws clusters one by one."""

import numpy as np
import pytest

from hnclip_cli.evaluation import bootstrap
from hnclip_cli.evaluation.bootstrap import Counts, Resampling, holm, p_value, resample

ROUNDS = 4000


def plain_interval(cluster, column, correct, rounds=ROUNDS):
    """Draw whole clusters with replacement, pool their answers, average the columns."""
    rng = np.random.default_rng(99)
    clusters = np.unique(cluster)
    columns = np.unique(column)
    answers = {c: [(column[i], correct[i]) for i in np.flatnonzero(cluster == c)] for c in clusters}
    values = []
    for _ in range(rounds):
        drawn = [a for c in rng.choice(clusters, len(clusters)) for a in answers[c]]
        per_column = [[right for k, right in drawn if k == column] for column in columns]
        values.append(np.mean([np.mean(rights) for rights in per_column if rights]))
    return np.quantile(values, [0.025, 0.975])


def observations(num_clusters, num_columns=1, seed=0):
    """Clusters of 1 to 6 answers that are right or wrong together, for the most part."""
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(num_clusters), rng.integers(1, 7, num_clusters))
    skill = rng.beta(1, 1, num_clusters)
    correct = rng.random(len(cluster)) < skill[cluster]
    return cluster, rng.integers(num_columns, size=len(cluster)), correct


@pytest.mark.parametrize("num_clusters", [8, 60])
def test_the_interval_is_that_of_a_plain_cluster_bootstrap(num_clusters):
    cluster, column, correct = observations(num_clusters)
    got = Resampling(ROUNDS).interval(cluster, column, correct)
    assert got == pytest.approx(plain_interval(cluster, column, correct), abs=0.02)


def test_the_interval_of_a_macro_average_draws_all_columns_of_a_cluster_together():
    cluster, column, correct = observations(50, num_columns=3)
    got = Resampling(ROUNDS).interval(cluster, column, correct)
    assert got == pytest.approx(plain_interval(cluster, column, correct), abs=0.02)


def test_clusters_make_the_interval_wider_than_answers_alone():
    cluster = np.repeat(np.arange(30), 10)
    correct = np.repeat(np.arange(30) % 2 == 0, 10)  # all ten answers of a cluster agree
    zeros = np.zeros(300, np.int64)
    by_cluster = Resampling(ROUNDS).interval(cluster, zeros, correct)
    by_answer = Resampling(ROUNDS).interval(np.arange(300), zeros, correct)
    assert by_cluster[1] - by_cluster[0] > 2.5 * (by_answer[1] - by_answer[0])


def test_drawing_types_and_drawing_clusters_have_one_distribution(monkeypatch):
    cluster, column, correct = observations(400, num_columns=2)
    counts = Counts.of(cluster, column, correct)
    monkeypatch.setattr(bootstrap, "FEW", 2)
    few_types = resample(counts, rounds=ROUNDS, rng=np.random.default_rng(1))
    monkeypatch.setattr(bootstrap, "FEW", 0)
    single = resample(counts, rounds=ROUNDS, rng=np.random.default_rng(1))
    assert few_types.shape == single.shape == (ROUNDS,)
    assert not np.array_equal(few_types, single)
    assert few_types.mean() == pytest.approx(single.mean(), abs=0.003)
    assert few_types.std() == pytest.approx(single.std(), rel=0.07)


def test_rounds_made_in_blocks_are_all_there(monkeypatch):
    counts = Counts.of(*observations(40))
    monkeypatch.setattr(bootstrap, "MAX_WEIGHTS", 100)
    assert resample(counts, rounds=37, rng=np.random.default_rng(0)).shape == (37,)


def test_the_interval_does_not_depend_on_the_order_or_the_numbers_of_the_clusters():
    cluster, column, correct = observations(50)
    order = np.random.default_rng(3).permutation(len(cluster))
    renamed = np.random.default_rng(4).permutation(50)[cluster]
    first = Resampling(200).interval(cluster, column, correct)
    second = Resampling(200).interval(renamed[order], column[order], correct[order])
    assert first == second
    assert first != Resampling(200, seed=1).interval(cluster, column, correct)


def test_what_cannot_vary_has_no_interval():
    one_cluster = np.zeros(5, int), np.zeros(5, int), np.array([1, 0, 1, 1, 0]) > 0
    assert Resampling(100).interval(*one_cluster) is None
    assert Resampling(0).interval(*observations(10)) is None


def test_a_column_that_a_round_misses_is_left_out_of_that_round():
    cluster, column = np.array([0, 1]), np.array([0, 1])
    counts = Counts.of(cluster, column, np.array([True, False]))
    drawn = resample(counts, rounds=200, rng=np.random.default_rng(0))
    assert set(drawn) == {0.0, 0.5, 1.0}


def test_counts_add_up_answers_by_cluster_and_column():
    counts = Counts.of(
        np.array([1, 0, 1, 1]), np.array([0, 0, 1, 0]), np.array([True, False, True, False])
    )
    assert counts.cluster.tolist() == [0, 1, 1]
    assert counts.column.tolist() == [0, 0, 1]
    assert counts.correct.tolist() == [0, 1, 1]
    assert counts.total.tolist() == [1, 2, 1]


def test_p_values_are_corrected_as_holm_says():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, None, 0.9]) == [1.0, None, 1.0]


def test_a_p_value_is_twice_the_smaller_tail_and_never_zero():
    assert p_value(np.array([0.1] * 99)) == 2 / 100
    assert p_value(np.array([0.1] * 98 + [-0.1])) == 4 / 100
    assert p_value(np.array([0.0, 1e-17])) == 1.0
    assert p_value(None) is None
