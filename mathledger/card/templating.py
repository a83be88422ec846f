"""Configure Jinja for the Markdown and HTML that this project writes; both escape every value."""

from typing import Any, Literal

from mathledger.core.escaping import markdown, paragraph, visible


def environment(package: str, folder: str = "", *, writes: Literal["markdown", "html"]) -> Any:
    """Return a Jinja environment for the templates in a package's folder; missing values fail.

    Jinja passes every value of a template through `finalize` and then escapes HTML. What is marked
    as `Markdown` passes unchanged.
    """
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader(package, folder),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        finalize=_as_markdown if writes == "markdown" else visible,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _as_markdown(value: Any) -> Any:
    if isinstance(value, str) and not hasattr(value, "__html__"):
        return paragraph(markdown(value))
    return value
