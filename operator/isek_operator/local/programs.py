"""How a module of ours is run as a process that may import what users wrote."""

import sys


def python_program(module: str) -> tuple[str, ...]:
    """The command that calls ``main`` of ``module``.

    The working directory is the last place where modules are looked for, not the first: no file there hides one that
    comes with Python.
    """
    return sys.executable, "-P", "-c", f"import sys; sys.path.append(''); from {module} import main; main()"
