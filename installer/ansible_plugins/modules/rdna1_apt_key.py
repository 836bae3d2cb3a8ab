#!/usr/bin/python
"""Install the key of an apt repository, and no other key than the pinned one."""

from __future__ import annotations

import base64
import os
import tempfile
import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rdna1.target.credentials import credentials_of
from ansible.module_utils.rdna1.target.facts import openpgp
from ansible.module_utils.rdna1.target.folders import make_folders
from ansible.module_utils.rdna1.target.printable import printable
from ansible.module_utils.urls import fetch_url

DOCUMENTATION = r"""
module: rdna1_apt_key
short_description: Install the pinned key of an apt repository
description:
  - Takes a key from an address or from the task itself and writes it in binary form, if it is the
    one with the pinned fingerprint, alone in its file, neither expired nor revoked.
  - What is written holds a primary key, its user ids, its subkeys and signatures, and nothing
    else. Data with any other packet, such as a secret key, is refused.
  - A right key that is there already is kept, and nothing is fetched.
  - The fingerprint is that of the primary key. That its subkeys are its own is for apt to verify,
    which does so with every index.
options:
  path:
    description: The keyring.
    type: path
    required: true
  fingerprint:
    description: Of the primary key, 40 hexadecimal digits, spaces allowed.
    type: str
    required: true
  url:
    description: Where the key is fetched from, binary or in ASCII armour.
    type: str
  content:
    description: The key itself instead, base64 of either form.
    type: str
  origin:
    description: What to call the place of O(content) in messages.
    type: str
    default: the key file
extends_documentation_fragment: [ansible.builtin.files]
author: [rdna1 contributors]
"""

EXAMPLES = r"""
- name: Install AMD's key
  rdna1_apt_key:
    path: /etc/apt/keyrings/rocm.gpg
    url: https://repo.radeon.com/rocm/rocm.gpg.key
    fingerprint: CA8BB4727A47B4D09B4EE8969386B48A1A693C5C
"""

RETURN = r"""
fingerprint:
  description: That of the installed key.
  returned: success
  type: str
"""

# AMD's key has 4 KiB.
LARGEST = 1 << 20


class WrongKeyError(Exception):
    """A key that must not be used; the message says why."""


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "fingerprint": {"type": "str", "required": True, "no_log": False},
            "url": {"type": "str"},
            "content": {"type": "str", "no_log": False},
            "origin": {"type": "str", "default": "the key file"},
        },
        required_one_of=[["url", "content"]],
        mutually_exclusive=[["url", "content"]],
        add_file_common_args=True,
        supports_check_mode=True,
    )
    # Of what is said, and of the arguments, which Ansible shows from -vvv on.
    module.no_log_values.update(filter(None, [credentials_of(module.params["url"] or "")]))
    path = Path(module.params["path"])
    fingerprint = module.params["fingerprint"].replace(" ", "").upper()
    old = path.read_bytes() if path.is_file() else b""
    given = module.params["content"]
    if not given and is_right(old, fingerprint):
        finish(module, path, old, old, fingerprint)
    data = base64.b64decode(given) if given else fetch(module, module.params["url"])
    try:
        new = verified(data, fingerprint)
    except WrongKeyError as error:
        refuse(module, str(error))
    finish(module, path, old, new, fingerprint)


def verified(data: bytes, fingerprint: str) -> bytes:
    """Return the key in binary form, written again from the packets that were read.

    Raises:
        WrongKeyError: it is not the pinned key alone, or no longer to be trusted.
    """
    try:
        found = openpgp.certificates(data)
        written = [openpgp.binary(certificate) for certificate in found]
    except openpgp.OpenPgpError as error:
        raise WrongKeyError(f"is not a public key alone: {error}") from error
    keys = [certificate.key for certificate in found]
    if len(keys) != 1:
        names = ", ".join(key.fingerprint for key in keys)
        raise WrongKeyError(f"holds {len(keys)} keys ({names}), and one is expected: {fingerprint}")
    if keys[0].fingerprint != fingerprint:
        raise WrongKeyError(f"holds another key: {keys[0].fingerprint} instead of {fingerprint}")
    if keys[0].revoked:
        raise WrongKeyError(f"holds {fingerprint}, which its owner has revoked")
    expires = keys[0].expires
    if expires is not None and expires <= time.time():
        day = time.strftime("%Y-%m-%d", time.gmtime(expires))
        raise WrongKeyError(f"holds {fingerprint}, which expired on {day}")
    new: bytes = written[0]
    return new


def is_right(data: bytes, fingerprint: str) -> bool:
    """Return whether a keyring is what this module would write."""
    try:
        return verified(data, fingerprint) == data
    except WrongKeyError:
        return False


def refuse(module: AnsibleModule, reason: str) -> None:
    """Fail with the cause and what to do about it."""
    origin = module.params["url"] or module.params["origin"]
    module.fail_json(
        msg=printable(f"the key of AMD's repository was not accepted: {origin} {reason}. ")
        + "Remedy: get the "
        "present key of AMD and name its file in rocm_amd_key_file; only for a mirror that signs "
        "with a key of its own, name that key's fingerprint in rocm_amd_key_fingerprint"
    )


def fetch(module: AnsibleModule, url: str) -> bytes:
    """Return what an address serves; proxies of the environment are used."""
    answer, details = fetch_url(module, url, timeout=30)
    if details["status"] != 200:
        module.fail_json(
            msg=printable(
                f"the key of AMD's repository could not be fetched: {url}: {details['msg']}. "
            )
            + "Remedy: check the network, proxies and rocm_amd_url, or bring the key along as a "
            "file and name it in rocm_amd_key_file"
        )
    data: bytes = answer.read(LARGEST)
    return data


def finish(module: AnsibleModule, path: Path, old: bytes, new: bytes, fingerprint: str) -> None:
    """Write the keyring where it differs, and set owner and mode."""
    changed = old != new
    if changed and not module.check_mode:
        write(path, new)
    if path.exists():
        wanted = module.load_file_common_arguments(module.params)
        changed = module.set_fs_attributes_if_different(wanted, changed)
    diff = {
        "before_header": str(path),
        "after_header": str(path),
        "before": listing(old),
        "after": listing(new),
    }
    module.exit_json(changed=changed, fingerprint=fingerprint, diff=diff)


def listing(data: bytes) -> str:
    """Return keyring for users: a line for each key."""
    try:
        return "".join(f"key {key.fingerprint}\n" for key in openpgp.keys(data)) if data else ""
    except openpgp.OpenPgpError as error:
        return f"{error}\n"


def write(path: Path, data: bytes) -> None:
    """Write the keyring whole or not at all."""
    make_folders(path.parent)
    handle, draft = tempfile.mkstemp(dir=str(path.parent))
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    Path(draft).chmod(0o644)
    Path(draft).replace(path)


if __name__ == "__main__":
    main()
