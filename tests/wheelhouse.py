"""Tiny wheels named like the real libraries, and a package index over loopback that serves them."""

import base64
import hashlib
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType

from app.models import package_locks as locks

LIBRARIES = ("torch", "transformers", "peft", "accelerate", "bitsandbytes", "safetensors", "gguf")

# As much of torch and bitsandbytes as trainer/doctor.py asks for; whatever it computes is a tensor like all others.
_TORCH = """\
class Tensor:
    __getattr__ = __call__ = __sub__ = __matmul__ = __truediv__ = lambda self, *_, **__: self
    __iter__ = lambda self: iter((self, self))
    __float__ = lambda self: {difference}
manual_seed = randn = ones_like = compile = Tensor()
class cuda:
    device_count = staticmethod(lambda: 0)
    get_arch_list = staticmethod(list)
class version:
    cuda = None
"""
_BITSANDBYTES = """\
from torch import Tensor
functional = matmul_4bit = Tensor()
"""


def make_wheel(
    folder: Path, name: str, *, version: str = "1.0", requires: str = "", size_bytes: int = 0, difference: float = 0.0
) -> Path:
    """`size_bytes`: of zeros in it, which are packed to nothing. `difference`: of products in 4 bits, with torch."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    about = f"{name}-{version}.dist-info"
    code = {"torch": _TORCH.format(difference=difference), "bitsandbytes": _BITSANDBYTES}
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    files = {
        f"{name}/__init__.py": code.get(name, "").encode("ascii"),
        f"{name}/zeros.bin": bytes(size_bytes),
        f"{about}/METADATA": (metadata + (f"Requires-Dist: {requires}\n" if requires else "")).encode("ascii"),
        f"{about}/WHEEL": b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [f"{file},{_digest(content)},{len(content)}" for file, content in files.items()]
    files[f"{about}/RECORD"] = "\n".join([*record, f"{about}/RECORD,,", ""]).encode("ascii")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for file, content in files.items():
            wheel.writestr(zipfile.ZipInfo(file), content)  # of 1980, so that the same content is the same wheel
    return path


def make_wheels(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in LIBRARIES:
        make_wheel(folder, name)
    return folder


def write_lock(folder: Path, wheels: Path, variant: str = "cpu", python: locks.Python = sys.version_info[:2]) -> Path:
    """Of all that is in `wheels`, for this kind of machine. Gives the folder, which holds the lock alone."""
    folder.mkdir(exist_ok=True)
    lines = ["# Written for a test."]
    for path in sorted(wheels.glob("*.whl")):
        name, version = path.name.split("-")[:2]
        content = path.read_bytes()
        lines += [f"# {path.name} {len(content)}", f"{name}=={version} \\"]
        lines += [f"    --hash=sha256:{hashlib.sha256(content).hexdigest()}"]
    lock = folder / f"{variant}-{locks.this_system()}-py{python[0]}{python[1]}.txt"
    lock.write_text("\n".join(lines) + "\n", encoding="ascii")
    return folder


def pin_python(folder: Path, archive: Path, system: str = "", python: locks.Python = sys.version_info[:2]) -> str:
    """Put a file into the list of Pythons beside the locks in `folder`. Gives its hash."""
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    with (folder / "pythons.txt").open("a", encoding="ascii") as pins:
        pins.write(f"{system or locks.this_system()} {locks.dotted(python)} {sha256} {archive.name}\n")
    return sha256


def _digest(content: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
    return f"sha256={digest.decode('ascii')}"


class Index:
    """`with Index(folder) as index:` … Also answers as a proxy: `requests` then hold whole addresses.

    A file whose name begins with `stalls_at` is begun and never ended.
    """

    def __init__(self, wheels: Path, stalls_at: str = "nothing") -> None:
        self.stalls_at = stalls_at
        self.requests: list[str] = []
        self.logins: set[str] = set()  # what Proxy-Authorization said
        self.stalled = threading.Event()
        self._end = threading.Event()
        index = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                index.requests.append(self.path)
                index.logins.add(self.headers.get("Proxy-Authorization", ""))
                name = self.path.rstrip("/").rpartition("/")[2]
                if name.endswith(".whl"):
                    self._send((wheels / name).read_bytes(), "application/zip", name)
                    return
                files = [path.name for path in wheels.glob(f"{name}-*.whl")]
                links = "".join(f'<a href="/files/{file}">{file}</a>' for file in files)
                self._send(f"<!DOCTYPE html><html><body>{links}</body></html>".encode("ascii"), "text/html", name)

            def _send(self, content: bytes, kind: str, name: str) -> None:
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                if kind == "application/zip":
                    self.send_header("Cache-Control", "max-age=100000")
                self.end_headers()
                if kind == "application/zip" and name.startswith(index.stalls_at):
                    self.wfile.write(content[:10])
                    self.wfile.flush()
                    index.stalled.set()
                    index._end.wait()
                    return
                self.wfile.write(content)

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever)

    @property
    def place(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def fetched(self, name: str) -> int:
        return sum(request.rpartition("/")[2].startswith(f"{name}-") for request in self.requests)

    def variables(self) -> dict[str, str]:
        """What makes it the index, as pip's users set it."""
        return {"PIP_INDEX_URL": f"{self.place}/simple", "NO_PROXY": "127.0.0.1"}

    def __enter__(self) -> "Index":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._end.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
