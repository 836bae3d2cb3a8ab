"""PyTorch on a machine: its source, the distribution's packages, the place of the environment."""

from __future__ import annotations

from rdna1.catalog.repositories import distribution
from rdna1.catalog.stacks import PytorchSource
from rdna1.plan.options import Part, PlanError, Request, packages_text

_SYSTEM_PYTHON = "/usr/bin/python3"
_REMEDY = "Remedy: leave rdna1_pytorch_source empty, or set it to index."


class PytorchPlan(Part, frozen=True):
    """What is done for PyTorch.

    Attributes:
        source: where it comes from.
        packages: of the distribution's PyTorch and of what this project imports with it; none
            where the wheels of an index are used.
        missing: those of them that have to be installed.
        environments: folder of the environments.
        python: version of the system's Python, for the distribution's PyTorch.
        python_path: the same Python.
    """

    source: PytorchSource
    packages: list[str]
    missing: list[str]
    environments: str
    python: str
    python_path: str

    @property
    def summary(self) -> str:
        """Where PyTorch comes from."""
        if self.source == "index":
            return "PyTorch: wheels of the stack"
        return f"PyTorch of the distribution: {packages_text(self.packages, self.missing)}"


def pytorch_plan(request: Request) -> PytorchPlan:
    """Return what is done for PyTorch.

    Raises:
        PlanError: the stack has no PyTorch of the distribution, or nobody may install it.
    """
    options, pytorch = request.options, request.stack.pytorch
    source = options.pytorch_source or pytorch.source
    packages: list[str] = []
    if source == "distro":
        if not pytorch.distro_packages:
            raise PlanError(
                f"The stack {options.stack} has no PyTorch of the distribution. {_REMEDY}"
            )
        if options.scope == "user":
            raise PlanError(f"Only root can install the distribution's PyTorch. {_REMEDY}")
        packages = [*pytorch.distro_packages, *distribution().own_requirements]
    pythons = request.facts.pythons or []
    return PytorchPlan(
        source=source,
        packages=packages,
        missing=[name for name in packages if name not in request.installed],
        environments=request.layout.environments,
        # The version that the link leads to.
        python=next((each.version for each in pythons if each.path == _SYSTEM_PYTHON), "3"),
        python_path=_SYSTEM_PYTHON,
    )
