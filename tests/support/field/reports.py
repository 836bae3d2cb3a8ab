"""Which case stands for which public report, and what its owner saw."""

from __future__ import annotations

from typing import NamedTuple


class Report(NamedTuple):
    """A public report.

    Attributes:
        number: of the report, with a letter where it is several cases.
        source: where it was published; empty for a machine that nobody reported.
        saw: what its owner saw.
        case: name of the case that is such a machine, or log.
    """

    number: str
    source: str
    saw: str
    case: str


REPORTS = (
    Report("01a", "ROCm#1318", "rocminfo without the card", "kernel without the chip"),
    Report("01b", "ROCm#1318", "the same, once it had worked", "AMD's driver of another kernel"),
    Report("02a", "ROCm#1306", "two GPUs, and none has a name", "no gfx target of a node"),
    Report("02b", "ROCm#1306", "only the processor's GPU", "the processor's graphics alone"),
    Report("03", "ROCm#4329", "import torch: executable stack", "rocm-5.7 on glibc 2.41"),
    Report("04a", "ollama#2453", "dpkg ends half configured", "a driver that does not build"),
    Report("04b", "ollama#2453", "DKMS: Bad return status", "AMD's driver does not build"),
    Report("06", "ROCm#2378", "unmet dependencies", "another archive's package outranks AMD's"),
    Report("07a", "ROCm#2310", "dpkg refuses", "half installed, to be installed again"),
    Report("07b", "ROCm#2310", "trying to overwrite a library", "a file of two packages"),
    Report("08", "rocm-libraries#4347", "no downgrade", "AMD's ROCm of another release"),
    Report("10a", "ProxmoxVE PR#15401", "permission denied in LXC", "lxc, another group"),
    Report(
        "10b",
        "k8s-device-plugin#39",
        "permission denied in Docker",
        "docker, a group without a name",
    ),
    Report("13", "InvokeAI#3967", "a variable that nothing sets", "fish's universal variables"),
    Report("14", "MIOpen#1878", "MIOpen's database error", "a damaged database of MIOpen"),
    Report("14b", "MIOpen#2214", "MIOpen hangs on NFS", "a home on a network file system"),
    Report("16", "InvokeAI#7146", "no solution", "uv: that version is not in the index"),
    Report("17", "AUTOMATIC1111#11900", "no support of the release", "Linux Mint"),
    Report("18", "ROCm#1643", "no /dev/kfd", "kernel without KFD"),
    Report(
        "19", "ROCm#5881, #5968", "no Release file", "an address that AMD's server does not have"
    ),
    Report("20", "rocm_sdk_builder#237", "another torch", "PYTHONPATH and LD_PRELOAD"),
    Report("21", "ROCm#4197", "DKMS fails after the removal", "DKMS' folder left over"),
    Report("22", "T2-Ubuntu#208", "no driver on an iMac", "iMac with nomodeset"),
    Report("24", "MIOpen#13", "ResNet's downsampling hangs", "downsampling that hangs"),
    Report("26", "", "asked to purge hipercontracer", "names like ROCm's"),
)
