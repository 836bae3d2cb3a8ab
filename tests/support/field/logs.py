"""What apt, dpkg, DKMS and uv print when an installation fails."""

from __future__ import annotations

from support.field.case import Log


def _uv(sentence: str) -> str:
    return f"  x No solution found when resolving dependencies:\n  ╰─▶ Because {sentence}.\n"


def _unmet(line: str) -> str:
    return (
        f"The following packages have unmet dependencies:\n {line}\n"
        "E: Unable to correct problems, you have held broken packages.\n"
    )


def _no_build(module: str, package: str) -> str:
    return (
        "Error! Bad return status for module build on kernel: 6.8.0-45-generic (x86_64)\n"
        f"Consult /var/lib/dkms/{module}/build/make.log for more information.\n"
        f"dpkg: error processing package {package} (--configure):\n"
        f" installed {package} package post-installation script subprocess returned error exit "
        "status 10\n"
    )


def _no_release(address: str) -> str:
    return (
        f"Failed to update apt cache: E:The repository '{address}' does not have a Release file.\n"
    )


LOGS = [
    Log(
        "another archive's package outranks AMD's",
        _unmet(
            "rocm-hip-runtime-dev : Depends: rocm-device-libs (= 1.0.0.50600-67~22.04) but 5.0.0-1 "
            "is to be installed"
        ),
        ("another archive outranks", "pin AMD's repository"),
        ("this release does not have",),
    ),
    Log(
        "a dependency that the release does not have",
        _unmet("comgr : Depends: libtinfo5 but it is not installable"),
        ("this release does not have",),
        ("outranks",),
    ),
    Log(
        "a dependency that something stands against",
        _unmet("miopen-hip : Depends: rocblas (>= 3.1) but it is not going to be installed"),
        ("something stands against the installation of rocblas", "--simulate install rocblas"),
        ("this release does not have",),
    ),
    Log(
        "AMD's driver does not build",
        _no_build("amdgpu/6.2.4-1664922.22.04", "amdgpu-dkms"),
        ("AMD's driver does not build", "apt purge amdgpu-dkms"),
        ("--configure -a",),
    ),
    Log(
        "AMD's driver of ROCm 3 does not build",
        _no_build("amdgpu/4.0-23", "rock-dkms"),
        ("apt purge rock-dkms",),
        ("apt purge amdgpu-dkms",),
    ),
    Log(
        "a kernel waits for AMD's driver",
        _no_build("amdgpu/6.10.5-2109964.22.04", "linux-headers-6.14.0-24-generic"),
        ("AMD's driver does not build", "dpkg -l"),
        ("apt purge linux",),
    ),
    Log(
        "another module does not build",
        _no_build("nvidia/535.183.01", "nvidia-dkms-535"),
        ("the kernel module nvidia does not build", "renew the package"),
        ("amdgpu",),
    ),
    Log(
        "a file of two packages",
        "dpkg: error processing archive /tmp/apt-dpkg-install-x/17-hipfft5.4.1_1.0.10.50401-84~20"
        ".04_amd64.deb (--unpack):\n trying to overwrite '/opt/rocm-5.4.1/lib/libhipfft.so', which "
        "is also in package hipfft 1.0.10.50401-84~20.04\nE: Sub-process /usr/bin/dpkg returned an "
        "error code (1)\n",
        ("hipfft5.4.1 and hipfft both have", "--force-remove-reinstreq hipfft5.4.1"),
    ),
    Log(
        "an address that AMD's server does not have",
        _no_release("https://repo.radeon.com/amdgpu/7.2/ubuntu noble Release"),
        ("does not have that address", "disable the source", "amdgpu/7.2/ubuntu /etc/apt/sources"),
        ("check the network",),
    ),
    Log(
        "an address that a PPA does not have",
        _no_release(
            "https://ppa.launchpadcontent.net/oibaf/graphics-drivers/ubuntu questing Release"
        ),
        ("does not have that address", "nothing for this release"),
        ("check the network",),
    ),
    Log(
        "an address that a new server of AMD's refuses",
        "E: Failed to fetch https://stable.repo.amd.com/rocm/core/packages/ubuntu2204/dists/stable/"
        "InRelease  403  Forbidden [IP: 192.0.2.1 443]\nE: The repository 'https://stable.repo.amd."
        "com/rocm/core/packages/ubuntu2204 stable InRelease' is not signed.\n",
        ("refuses an address", "disable the source"),
        ("signature",),
    ),
    Log(
        "a certificate that is not trusted",
        "E: Failed to fetch https://repo.radeon.com/x  Certificate verification failed: The "
        "certificate is NOT trusted. The certificate issuer is unknown.\n",
        ("certificate of a server is not trusted", "clock"),
        ("check the network",),
    ),
    Log(
        "uv: that version is not in the index",
        _uv(
            "there is no version of torch==2.2.2+rocm5.7 and you require\n      "
            "torch==2.2.2+rocm5.7, we can conclude that your requirements are\n      unsatisfiable"
        ),
        ("does not have that version of torch", "It said: Because there is no version"),
        ("Python",),
    ),
    Log(
        "uv: only others are in the index",
        _uv(
            "only torch<=2.1.2+rocm5.6 is available and you require torch==2.2.2+rocm5.7, we can "
            "conclude that your requirements are unsatisfiable"
        ),
        ("does not have that version of torch", "It said: Because only torch"),
        ("contradict",),
    ),
    Log(
        "uv: no wheel for this Python, after a warning",
        "warning: `VIRTUAL_ENV` does not match\n"
        + _uv(
            "torch==2.2.2 has no wheels with a matching Python ABI tag (e.g., `cp313`), we can "
            "conclude that your requirements are unsatisfiable"
        ),
        ("no wheel for this machine's Python", "It said: Because torch==2.2.2 has no wheels"),
        ("VIRTUAL_ENV",),
    ),
    Log(
        "uv: no wheel for this platform",
        "error: Distribution `torch==2.2.2+rocm5.7` can't be installed because it doesn't have a "
        "source distribution or wheel for the current platform\n",
        ("no wheel for this machine's platform",),
    ),
    Log(
        "uv: requirements that contradict each other",
        _uv(
            "torchvision==0.17.2 depends on torch==2.2.2 and you require torch==2.3.0, we can "
            "conclude that your requirements and torchvision==0.17.2 are incompatible"
        ),
        ("contradict each other", "It said: Because torchvision"),
        ("does not have that version",),
    ),
    Log(
        "an executable stack",
        "ImportError: libamdhip64.so.5: cannot enable executable stack as shared object requires: "
        "Invalid argument\n",
        ("glibc from 2.41 on does not load libamdhip64.so.5", "--clear-execstack"),
    ),
]
