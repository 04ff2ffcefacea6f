"""The loop of the fuzz runs by hand."""

from helpers.fuzzing import figures, outcome


def third_is_a_bug(seed):
    if seed % 3 == 0:
        raise RecursionError("too deep")
    return seed % 3 == 1


def test_a_run_goes_on_after_a_bug_and_its_last_line_counts_every_input(capsys):
    line = figures(outcome(third_is_a_bug, seed) for seed in range(9))
    assert line == "9 inputs: 3 ok, 3 refused, 3 exit 3"
    printed = capsys.readouterr().out
    assert all(f"seed {seed}:\n" in printed for seed in (0, 3, 6))
    assert "RecursionError: too deep" in printed
