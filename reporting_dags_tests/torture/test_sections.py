"""How the torture is run: every section, whatever becomes of another."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from reporting_dags.orchestration.storage import PROJECT
from reporting_dags_tests.processes import forked_workers, run
from reporting_dags_tests.torture.row import Losses, Row, Section, numbers
from reporting_dags_tests.torture.sections import rows_of, sections, whole


def test_a_section_that_runs_beside_the_others_is_found_by_its_process() -> None:
    with forked_workers() as context, ProcessPoolExecutor(1, mp_context=context) as beside:
        found = beside.submit(rows_of, "no such section").exception()
    assert isinstance(found, ValueError)
    assert len({section.name for section in sections()}) == len(sections())


def test_a_section_that_breaks_off_is_a_row_that_did_not_hold() -> None:
    good = Row(fault="a", outcome="data", losses=Losses())

    def rows() -> Iterator[Row]:
        yield good
        raise RuntimeError("no disk\nmore")

    first, last = whole(Section(name="disks", rows=rows))
    assert first == good
    assert (last.fault, last.held, last.trouble) == ("disks", False, "RuntimeError: no disk")
    assert numbers([first, last])["held"] == 1


def test_a_section_that_is_not_known_is_named_with_those_that_are() -> None:
    done = run(["-m", "reporting_dags_tests.torture", "nonsense"], cwd=PROJECT)
    assert done.returncode == 2
    assert "no section nonsense" in done.stdout
    assert "random kills" in done.stdout
