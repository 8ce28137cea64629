"""Checks of what a transfer task says about its data."""

from pathlib import Path

from ssl_motion.protocols import DataReport, TransferTask
from ssl_motion.task_faults import report_fault
from ssl_motion.testing.promise import ContractError, expect


def check_nothing_found(task_class: type[TransferTask], preset: str, folder: Path) -> None:
    """Check that a preset finds nothing in an empty folder, says what to do, and leaves the folder empty.

    Args:
        task_class: the task.
        preset: its preset.
        folder: to work in.
    """
    what = f"{task_class.__name__}, preset {preset}: check_data() of an empty folder"
    empty = folder / "nothing here"
    empty.mkdir(exist_ok=True)
    report = _report(task_class(task_class.Config.model_validate({"preset": preset})), empty, what)
    expect(bool(report.missing), f"{what} misses nothing")
    expect(bool(report.how_to_get.strip()), f"{what} does not say how to get the data (how_to_get)")
    expect(not report.fingerprint, f"{what} gives a fingerprint, although things are missing")
    expect(not any(empty.iterdir()), f"{what} wrote something there")


def check_data_found(task: TransferTask, root: Path, folder: Path) -> None:
    """Check that complete data are found, and have a fingerprint that does not depend on where they lie.

    Args:
        task: as it is to be run.
        root: folder of the data.
        folder: to work in.
    """
    what = f"{type(task).__name__}: check_data({root})"
    before = contents(root)
    report = _report(task, root, what)
    expect(not report.missing, f"{what} misses {'; '.join(report.missing)}")
    expect(bool(report.found), f"{what} does not say what it found")
    elsewhere = folder / "the same data"
    elsewhere.symlink_to(root.resolve(), target_is_directory=True)
    expect(
        _report(task, elsewhere, what).fingerprint == report.fingerprint,
        f"{what}: the fingerprint depends on the folder's name, so no other machine has the same run",
    )
    expect(contents(root) == before, f"{what} changed the folder")


def contents(root: Path) -> dict[str, tuple[int, int]]:
    """Size and time of change (ns) of every file below a folder."""
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


def _report(task: TransferTask, root: Path, what: str) -> DataReport:
    try:
        report = task.check_data(root)
    except Exception as error:  # the plugin's own code: whatever it raises is the finding
        raise ContractError(f"{what} raised {type(error).__name__}: {error}; it should report instead") from error
    fault = report_fault(report)
    expect(fault is None, f"{what} {fault}")
    return report
