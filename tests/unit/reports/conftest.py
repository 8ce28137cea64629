"""Made-up records for the tests of reports."""

import pytest

from ssl_motion.identity import digest
from ssl_motion.record import MetricValue, Pretraining, Provenance, Reported, Reproduced, ResultRecord

PROTOCOL = {"dataset": "puppets", "head": "fcn", "iterations": 300, "val_split": "test"}


def _origin(parents=(), *, finished="2026-01-02T03:04:05+00:00", seconds=60.0, dirty=False):
    return Reproduced(
        provenance=Provenance(
            commit="c0ffee" * 6 + "abcd",
            dirty=dirty,
            packages={"torch": "2.13.0"},
            python="3.11.7",
            hardware="a processor, 2 cores",
            device="cpu",
            wall_seconds=seconds,
            finished=finished,
            parents=list(parents),
        )
    )


@pytest.fixture(scope="session")
def make_record():
    """Make a reproduced record: make(method, seed, value, **changes).

    `spec` adds to that of the pretraining, `spec_of_task` to that of the transfer.
    """

    def make(method="cmp", seed=0, value=40.0, *, spec=None, pairs=8000, metrics=None, spec_of_task=None, **changes):
        learned = None
        if method != "random":
            spec = {"method": method, "iterations": 800, **(spec or {}), "seed": seed}
            run = digest(["run", spec, pairs])
            learned = Pretraining(
                data="puppets-still", pairs=pairs, flow_supervision="exact flow", wall_seconds=100.0, run=run, spec=spec
            )
        content = {
            "method": method,
            "backbone": "alexnet_mini",
            "pretraining": learned,
            "task": "voc_fcn",
            "protocol": PROTOCOL,
            "protocol_name": "puppets_fcn",
            "scale": "builtin",
            "metrics": metrics
            or [MetricValue(name="mIoU", value=value, primary=True), MetricValue(name="aAcc", value=80.0)],
            "details": {"IoU": {"person": value}},
            "seed": seed,
            "spec": {"task": "voc_fcn", "init": learned.run if learned else "random", "seed": seed}
            | (spec_of_task or {}),
            "origin": _origin([learned.run] if learned else []),
            **changes,
        }
        content.setdefault("identity", digest({**content, "origin": "", "metrics": "", "pretraining": repr(learned)}))
        return ResultRecord(**content)

    return make


@pytest.fixture(scope="session")
def make_reported():
    """Make a published record: make(method, value, **changes)."""

    def make(method="cmp", value=44.5, **changes):
        origin = {
            "publication": "A paper",
            "table": "Table 1",
            "row": method,
            "source": "typed in",
            **changes.pop("of", {}),
        }
        content = {
            "method": method,
            "backbone": "alexnet_mini",
            "pretraining": Pretraining(data="YFCC"),
            "task": "voc_fcn",
            "protocol": PROTOCOL,
            "protocol_name": "a paper's protocol",
            "scale": "full",
            "metrics": [MetricValue(name="mIoU", value=value, primary=True)],
            "seed": None,
            "origin": Reported(**origin),
            **changes,
        }
        content.setdefault("identity", digest([method, value, content["protocol"], origin]))
        return ResultRecord(**content)

    return make


@pytest.fixture
def _figures(monkeypatch):
    """The figures that were saved."""
    from matplotlib.figure import Figure

    figures = []
    save = Figure.savefig

    def spy(self, *args, **options):
        figures.append(self)
        return save(self, *args, **options)

    monkeypatch.setattr(Figure, "savefig", spy)
    return figures


@pytest.fixture
def drawn_axes(_figures):
    """Call it for the axes of the last figure that was saved."""
    return lambda: _figures[-1].axes


@pytest.fixture
def drawn_texts(_figures):
    """All texts of the figures that are saved: iterate over it after drawing."""
    from matplotlib.text import Text

    class Texts:
        def __iter__(self):
            return iter([text.get_text() for figure in _figures for text in figure.findobj(Text)])

    return Texts()
