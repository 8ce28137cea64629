"""From content to the pages' text: one set of templates, with what every page is given."""

from typing import Any

from markupsafe import Markup

from ssl_motion.record import MetricValue
from ssl_motion_reports.page import environment, words
from ssl_motion_reports.shapes import Group
from ssl_motion_reports.site.assets import POLICY
from ssl_motion_reports.site.content import Content
from ssl_motion_reports.texts import letters, shown

NAVIGATION = (
    ("ssl-motion", "index.html"),
    ("Leaderboards", "index.html#leaderboards"),
    ("Methods", "methods/index.html"),
    ("Runs", "runs/index.html"),
    ("Pretraining runs", "pretraining/index.html"),
)


def primary(group: Group) -> MetricValue:
    """The metric that ranks in a group."""
    return next(metric for metric in group.metrics if metric.name == group.primary)


class Renderer:
    """Renders the templates of the site."""

    def __init__(self, content: Content) -> None:
        self._environment = environment()
        self._environment.auto_reload = False
        self._environment.globals.update(
            words(),
            policy=Markup(POLICY),  # noqa: S704  # fixed text, whose quotes need no escape
            navigation=NAVIGATION,
            addresses=content.addresses,
            primary=primary,
            shown=shown,
            letters=letters,
        )

    def __call__(self, template: str, here: str, **given: Any) -> str:
        """Render a page.

        Args:
            template: name of the template, without its endings.
            here: address of the page, relative to the site's root.
            given: what the template shows.
        """
        page = self._environment.get_template(f"site_{template}.html.j2")
        text = page.render({"here": here, "root": "../" * here.count("/"), "window": "", **given})
        # Indentation would be a tenth of a page of tables; only <pre> shows it, and tables have none.
        return "\n".join(line for each in text.splitlines() if (line := each.strip())) if template == "board" else text
