"""What a method is, in its own words: the beginning of the README beside it, or its docstring; nothing is imported."""

import ast
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

from markdown_it import MarkdownIt
from markupsafe import Markup, escape

from ssl_motion.plugins import METHODS, Plugin, available

_STARTS = {
    "random": ("Random start", "Nothing was learned before the task. It is the lower line of every comparison."),
    "imagenet": (
        "ImageNet start",
        "Learned from the labels of ImageNet, which are of another kind and amount than motion.",
    ),
}
_ENSEMBLE = ("Ensemble", "What several finished networks predict, averaged.")
_UNKNOWN = (
    "Not installed here",
    "Its records are here, the method itself is not: nothing is known about it but its name.",
)


@dataclass(frozen=True)
class Description:
    """A method's page, as far as no record is needed for it.

    Attributes:
        title: heading.
        text: paragraphs, safe to print as HTML.
    """

    title: str
    text: Markup


def describe_methods() -> dict[str, Description]:
    """Describe the installed pretraining methods, by name."""
    return {plugin.name: describe_plugin(plugin) for plugin in available(METHODS)}


def describe_start(name: str) -> Description:
    """Describe a method that is no plugin: a start of the harness, an ensemble, or one that is not installed."""
    title, text = _STARTS.get(name) or (_ENSEMBLE if " + " in name else _UNKNOWN)
    return Description(title, _paragraph(text))


def describe_plugin(plugin: Plugin) -> Description:
    """Describe an installed method from the files of its package."""
    module, _, name = plugin.target.partition(":")
    spec = _found(module)
    places = [Path(place) for place in (spec.submodule_search_locations or [])] if spec else []
    if spec is not None and spec.origin:
        places.append(Path(spec.origin).parent)
    for place in places:
        if (place / "README.md").is_file():
            return introduction((place / "README.md").read_text(encoding="utf-8", errors="replace"), plugin.name)
    text = _docstring(Path(spec.origin), name) if spec is not None and spec.origin else ""
    said = text or f"A method of the package {plugin.distribution}, which says nothing about itself."
    return Description(plugin.name, Markup("").join(_paragraph(each) for each in said.split("\n\n")))


def _found(module: str) -> ModuleSpec | None:
    """Find a module without running it (its parent packages are run)."""
    try:
        return find_spec(module)
    except (ImportError, ValueError):
        return None


def _docstring(file: Path, name: str) -> str:
    """Docstring of a class, else of the module, read off the source."""
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):
        return ""
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == name]
    nodes: list[ast.ClassDef | ast.Module] = [*classes, tree]
    return next((text for node in nodes if (text := ast.get_docstring(node))), "")


def introduction(readme: str, name: str) -> Description:
    """Take a README's heading and its paragraphs up to the first code, table or further heading.

    Args:
        readme: Markdown; HTML in it is printed as text, and links lose their address, which is none of the site's.
        name: heading where it has none.
    """
    markdown = MarkdownIt("commonmark", {"html": False}).disable(["link", "autolink", "image", "reference"])
    markdown.enable("table")
    tokens = markdown.parse(readme)
    title = name
    if tokens and tokens[0].type == "heading_open":
        title, tokens = tokens[1].content, tokens[3:]
    text = ("paragraph", "inline", "bullet_list", "ordered_list", "list_item", "blockquote", "em", "strong")
    end = next((place for place, token in enumerate(tokens) if not token.type.startswith(text)), len(tokens))
    # The renderer escapes what it is given.
    return Description(title, Markup(markdown.renderer.render(tokens[:end], markdown.options, {})))  # noqa: S704


def _paragraph(text: str) -> Markup:
    return Markup("<p>{}</p>").format(escape(text.strip()))
