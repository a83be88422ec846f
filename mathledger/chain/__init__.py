"""One state of the project, read from git, dvc.lock and DVC's cache without importing DVC."""
