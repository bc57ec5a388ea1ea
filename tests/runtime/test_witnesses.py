"""``make witnesses``, without the witnesses."""

from pathlib import Path

from revops_admin.runtime.witnesses import Outcome, counted

RESULTS = """
<testsuites>
  <testsuite><testcase name="a"/><testcase name="b"><failure message="no"/></testcase></testsuite>
  <testsuite><testcase name="c"><skipped/></testcase><testsuite><testcase name="d"/></testsuite></testsuite>
</testsuites>
"""


class TestOutcomes:
    def test_failed_and_skipped_tests_count_as_failed(self, tmp_path: Path) -> None:
        results = tmp_path / "results.xml"
        results.write_text(RESULTS)
        outcome = counted(results, 1.5)
        assert (outcome.tests, outcome.failed, outcome.is_good) == (4, 2, False)
        assert str(outcome) == "FAILED, 2 of 4 tests failed, 1.5 s"

    def test_a_suite_that_ran_nothing_has_failed(self, tmp_path: Path) -> None:
        outcome = counted(tmp_path / "missing.xml", 0.1)
        assert not outcome.is_good
        assert str(outcome) == "FAILED, no test ran, 0.1 s"

    def test_all_passed(self) -> None:
        assert str(Outcome(3, 0, 2.04)) == "ok, 3 tests, 2.0 s"
