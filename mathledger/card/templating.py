"""Configure Jinja for the Markdown and HTML that this project writes."""

from typing import Any


def environment(package: str, folder: str = "", escapes_html: bool = False) -> Any:
    """Return a Jinja environment for the templates in a package's folder; missing values fail.

    Markdown must not be escaped as a whole: its tables escape their cells, and its templates escape
    text in <pre>.
    """
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader(package, folder),
        undefined=jinja2.StrictUndefined,
        autoescape=escapes_html,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
