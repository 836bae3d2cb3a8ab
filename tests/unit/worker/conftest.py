import contextlib
import warnings

# torch without NumPy says so when it is first imported, and here warnings are errors.
with warnings.catch_warnings(), contextlib.suppress(ImportError):
    warnings.simplefilter("ignore")
    import torch  # noqa: F401 - for the tests that need it
