"""Make certificates, right and wrong ones, at run time."""

import subprocess
from pathlib import Path


class Keys:
    """Certificates from openssl, made at run time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def authority(self, name: str) -> Path:
        """Make an authority, and return its certificate."""
        self._openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                      "-keyout", f"{name}.key", "-out", f"{name}.pem")  # fmt: skip
        return self._folder / f"{name}.pem"

    def signed(self, name: str, by: str) -> tuple[str, str]:
        """Make a certificate for a name; return its file and that of its key."""
        (self._folder / f"{name}.ext").write_text(f"subjectAltName=DNS:{name}\n")
        self._openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}",
                      "-keyout", f"{name}.key", "-out", f"{name}.csr")  # fmt: skip
        self._openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{by}.pem", "-CAkey", f"{by}.key",
                      "-CAcreateserial", "-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.pem")  # fmt: skip
        for end in ("pem", "key"):
            (self._folder / f"{name}.{end}").chmod(0o644)
        return str(self._folder / f"{name}.pem"), str(self._folder / f"{name}.key")

    def _openssl(self, *words: str) -> None:
        subprocess.run(["openssl", *words], cwd=self._folder, check=True, capture_output=True)
