"""Parts for graphics cards: NVIDIA's libraries are found with their licences, and its packages are a toolkit."""

import hashlib
import subprocess
import sys
import zipfile

import pytest

from tests.dev_scripts import load_scripts, steps

elf, gpu_pack = load_scripts("elf", "gpu_pack")


def place(path, content="x"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


@pytest.mark.parametrize(
    ("library", "licence"),
    [
        ("cuda-13.0/lib64/libcudart.so.13", "cuda-13.0/EULA.txt"),
        ("cuda-12.8/targets/x86_64-linux/lib/libcublas.so.12", "cuda-12.8/EULA.txt"),
        (
            "site-packages/nvidia/cublas/lib/libcublas.so.12",
            "site-packages/nvidia_cublas_cu12-12.8.dist-info/License.txt",
        ),
        (
            "site-packages/nvidia/cu13/lib/libcublas.so.13",
            "site-packages/nvidia_cublas-13.0.dist-info/licenses/License.txt",
        ),
    ],
)
def test_the_licence_is_found_in_a_toolkit_and_in_a_package_of_pip(tmp_path, library, licence):
    place(tmp_path / "site-packages" / "other-1.dist-info" / "License.txt")
    text = place(tmp_path / licence)
    assert gpu_pack._licence(place(tmp_path / library)) == text


def test_a_library_without_its_licence_is_not_packed(tmp_path):
    library = place(tmp_path / "a" / "b" / "c" / "lib" / "libcudart.so.13")
    with pytest.raises(steps.SetupError, match="libcudart"):
        gpu_pack._licence(library)


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """A list of packages with one in it, of two libraries, and the only place where pip may look."""
    wheel = tmp_path / "wheels" / "cuda-1-py3-none-any.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in ("libcudart.so.13", "libcublas.so.13", "libcudart_static.a"):
            archive.writestr(f"nvidia/cu13/lib/{name}", name)
        archive.writestr("cuda-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: cuda\nVersion: 1\n")
        archive.writestr("cuda-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("cuda-1.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return place(tmp_path / "packages.txt", f"cuda==1 --hash=sha256:{sha256}\n")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a toolkit is installed")
def test_packages_of_nvidia_become_a_toolkit_whose_driver_is_the_machines(tmp_path, packages):
    flags = gpu_pack._cuda_toolkit(packages, tmp_path / "cuda", sys.executable)
    toolkit = tmp_path / "cuda" / "nvidia" / "cu13"
    assert flags[:2] == [f"-DCUDAToolkit_ROOT={toolkit}", f"-DCMAKE_CUDA_COMPILER={toolkit}/bin/nvcc"]
    assert [(toolkit / "lib64" / f"lib{name}.so").read_text() for name in ("cudart", "cublas")] == [
        "libcudart.so.13",
        "libcublas.so.13",
    ]
    source = place(tmp_path / "a.c", "int cuMemCreate(void); int f(void) { return cuMemCreate(); }")
    as_on_ubuntu, ours = "-Wl,--as-needed", flags[2].partition("=")[2]
    library = tmp_path / "a.so"
    argv = ["cc", "-shared", "-fPIC", as_on_ubuntu, ours, source, f"-L{toolkit}/lib64/stubs", "-lcuda", "-o", library]
    subprocess.run(argv, check=True)
    assert "libcuda.so.1" in elf.read(library).needed_libraries


def test_a_package_with_another_hash_is_refused(tmp_path, packages):
    packages.write_text(f"cuda==1 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(steps.SetupError):
        gpu_pack._cuda_toolkit(packages, tmp_path / "cuda", sys.executable)
    assert not (tmp_path / "cuda").exists()
