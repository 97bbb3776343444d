"""Modules that belong to no package, such as lessons/build.py, by the path of their file."""

from importlib.util import module_from_spec, spec_from_file_location


def module_at(path):
    """Load a module; each call makes a new one."""
    specification = spec_from_file_location(path.stem, path)
    module = module_from_spec(specification)
    specification.loader.exec_module(module)
    return module
