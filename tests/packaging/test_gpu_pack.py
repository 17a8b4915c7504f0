"""Parts for graphics cards: what of NVIDIA's goes along has its licence with it. Nothing is compiled here."""

import pytest

from tests.dev_scripts import load_scripts, steps

(gpu_pack,) = load_scripts("gpu_pack")


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
