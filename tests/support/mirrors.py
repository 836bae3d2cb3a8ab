"""What the mirrors of tests are for."""

from __future__ import annotations

SUBJECT = {
    "stack": "rocm-5.7",
    "os": "debian",
    "version": "13",
    "architecture": "amd64",
    "rocm_source": "distro",
    "pytorch_source": "index",
    "packages": ["rocminfo"],
}
