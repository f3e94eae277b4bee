"""A real IMAP server (Dovecot 2.3) on a free port of this machine, with TLS and access-control lists."""

from __future__ import annotations

import getpass
import grp
import os
import pwd
import shutil
import tempfile
from pathlib import Path
from typing import Self

from support.certificates import Authority
from support.ports import free_port
from support.processes import Process

CONFIGURATION = """
base_dir = {folder}/run
state_dir = {folder}/run
log_path = /dev/stderr
protocols = imap
default_internal_user = {account}
default_internal_group = {group}
default_login_user = {account}
mail_uid = {account}
mail_gid = {group}
first_valid_uid = 1
mail_location = maildir:{folder}/mail/%u
mail_plugins = acl
ssl = required
ssl_cert = <{certificate}
ssl_key = <{key}
namespace inbox {{
  inbox = yes
}}
passdb {{
  driver = passwd-file
  args = {folder}/users
}}
userdb {{
  driver = static
  args = home={folder}/mail/%u
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    address = 127.0.0.1
    port = {port}
  }}
}}
service anvil {{
  chroot =
}}
protocol imap {{
  mail_plugins = acl imap_acl
}}
plugin {{
  acl = vfile
}}
"""


class DovecotServer:
    """One server with an account for each given password; gone with all mail when it is closed.

    All of it runs under one account that has no rights: the caller's, or Dovecot's own where root calls.

    Attributes:
        port: where it listens on 127.0.0.1, for TLS only.
        authority: the file of the authority that its certificate is of.
    """

    def __init__(self, **passwords: str) -> None:
        # Not below the test's own folder, which no other account can enter.
        self._folder = Path(tempfile.mkdtemp(prefix="dovecot-", dir="/tmp"))
        self.port = free_port()
        authority = Authority(self._folder)
        self.authority = str(authority.file)
        certificate, key = authority.server_files()
        account = pwd.getpwnam("dovecot" if os.geteuid() == 0 else getpass.getuser())
        users = [f"{name}@example.com:{{PLAIN}}{password}\n" for name, password in passwords.items()]
        (self._folder / "users").write_text("".join(users))
        group = grp.getgrgid(account.pw_gid).gr_name
        values = {"folder": self._folder, "account": account.pw_name, "group": group, "port": self.port}
        configuration = self._folder / "dovecot.conf"
        configuration.write_text(CONFIGURATION.format(**values, certificate=certificate, key=key))
        command = [
            shutil.which("dovecot", path=f"{os.environ['PATH']}:/usr/sbin"),
            "-F",
            "-c",
            str(configuration),
        ]
        if os.geteuid() == 0:
            for path in (self._folder, *self._folder.iterdir()):
                os.chown(path, account.pw_uid, account.pw_gid)
            ids = (f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups")
            command = ["setpriv", *ids, *command]
        self._process = Process(*command)
        self._process.wait_for("starting up for imap")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the server and remove its mail."""
        self._process.end()
        shutil.rmtree(self._folder)
