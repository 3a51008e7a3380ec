"""Puts the files of an instance's folder, which are at the top of the project, into the package that is built.

Everything else that the build needs to know is in pyproject.toml.
"""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

TEMPLATES = ("dagster.yaml", "workspace.yaml", ".env.example")


class BuildWithTemplates(build_py):
    """Copies the templates that `reporting-dags instance` reads where there is no checkout."""

    def run(self) -> None:
        """Build the package, and copy the templates into it; an editable install reads them from the checkout."""
        super().run()
        if not self.editable_mode:
            folder = Path(self.build_lib, "reporting_dags", "templates")
            folder.mkdir(parents=True, exist_ok=True)
            for name in TEMPLATES:
                self.copy_file(name, str(folder / name))


setup(cmdclass={"build_py": BuildWithTemplates})
