"""What goes into a bundle: of Qt and of the system only what is needed, of llama.cpp every library once."""

import os
import platform
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.dev_scripts import ROOT, load_scripts

bundle, bundle_contents, engine_libraries = load_scripts("bundle", "bundle_contents", "engine_libraries")

QT = "PySide6/Qt"


@pytest.mark.parametrize(
    "name",
    [
        "PySide6/QtWidgets.abi3.so",
        f"{QT}/lib/libQt6Core.so.6",
        f"{QT}/plugins/platforms/libqxcb.so",
        f"{QT}/plugins/platforms/libqwayland.so",
        f"{QT}/plugins/platforminputcontexts/libibusplatforminputcontextplugin.so",
        f"{QT}/translations/qtbase_ja.qm",
        "libxcb-cursor.so.0",
        "libcrypto.so.3",
        "keyring-25.7.0.dist-info/entry_points.txt",
        "docx/templates/default.docx",
        "numpy/_core/_multiarray_umath.cpython-311-x86_64-linux-gnu.so",
        "PySide6\\plugins\\platforms\\qwindows.dll",
        "PySide6\\Qt6Core.dll",
        f"{QT}/plugins/platforms/libqcocoa.dylib",
    ],
)
def test_what_the_window_needs_is_in_a_bundle(name):
    assert bundle_contents.is_wanted(name)


@pytest.mark.parametrize(
    "name",
    [
        f"{QT}/lib/libQt6Quick.so.6",
        f"{QT}/lib/libQt6Network.so.6",
        f"{QT}/lib/libQt6VirtualKeyboard.so.6",
        f"{QT}/qml/QtQuick/qmldir",
        f"{QT}/plugins/sqldrivers/libqsqlite.so",
        f"{QT}/plugins/tls/libqopensslbackend.so",
        f"{QT}/plugins/platformthemes/libqgtk3.so",
        f"{QT}/plugins/platforminputcontexts/libqtvirtualkeyboardplugin.so",
        f"{QT}/translations/qtbase_de.qm",
        "PySide6/QtWidgets.pyi",
        "selectolax/lexbor.c",
        "PySide6\\Qt6Quick.dll",
        "libQt6Quick.so.6",
        "libfontconfig.so.1",
        "libstdc++.so.6",
        "libX11.so.6",
        "libdbus-1.so.3",
        "llama_cpp_python-0.3.36.dist-info/direct_url.json",
        "numpy-2.4.6.dist-info/RECORD",
        "numpy-2.4.6.dist-info/licenses/LICENSE.txt",
        "docx/templates/default-docx-template/word/styles.xml",
    ],
)
def test_what_belongs_to_the_system_or_to_nobody_is_not(name):
    assert not bundle_contents.is_wanted(name)


def test_libraries_that_only_left_out_ones_need_go_with_them():
    inside = Path("Kotae/_internal")
    needed = {
        inside / "PySide6/QtGui.abi3.so": ("libQt6Gui.so.6", "libc.so.6"),
        inside / "libQt6Gui.so.6": ("libz.so.1",),
        inside / "libz.so.1": (),
        inside / "libpango-1.0.so.0": ("libharfbuzz.so.0",),  # of a plugin that is not there
        inside / "libharfbuzz.so.0": ("libz.so.1",),
        inside / "libpython3.11.so.1.0": (),
        inside / "lxml/etree.so": (),
    }
    gone = {path.name for path in bundle_contents.orphans(needed, inside)}
    assert gone == {"libpango-1.0.so.0", "libharfbuzz.so.0"}


def test_resources_and_the_trainer_go_along():
    files = bundle_contents.data_files(ROOT)
    placed = {(Path(source).relative_to(ROOT).as_posix(), folder) for source, folder in files}
    assert ("resources/wording/errors.toml", "resources/wording") in placed
    assert ("trainer/start.py", "trainer") in placed
    assert ("trainer/convert/__main__.py", "trainer/convert") in placed
    assert ("CHANGELOG.md", "resources") in placed
    assert not any(source.endswith(".pyc") for source, _ in placed)


def test_each_library_of_llama_cpp_is_kept_once_and_beside_the_others(tmp_path):
    site = tmp_path / "site-packages"
    for folder in ("llama_cpp/lib", "bin"):
        (site / folder).mkdir(parents=True)
    for name in ("libllama.so", "libllama.so.0", "libllama.so.0.5.0", "libggml.so", "libggml.so.0", "libmtmd.so"):
        (site / "llama_cpp/lib" / name).write_text(name.partition(".")[0])
    for name in ("libggml-cpu-haswell.so", "libggml-cpu-cannonlake.so", "libggml-cpu-sse42.so", "ninja"):
        (site / "bin" / name).write_text(name)
    target = tmp_path / "lib"
    (target / "old").mkdir(parents=True)
    made = {path.name: path for path in engine_libraries.copy(site, target)}
    assert set(made) == {
        *("libllama.so", "libllama.so.0", "libggml.so", "libggml.so.0", "libmtmd.so"),
        *("libggml-cpu-haswell.so", "libggml-cpu-sse42.so"),
    }
    assert made["libllama.so"].is_symlink()
    assert made["libllama.so"].read_text() == "libllama"
    assert not made["libllama.so.0"].is_symlink()


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="numpy asks for other things elsewhere")
def test_where_the_engine_for_sse42_does_not_run_numpy_does_not_either():
    from numpy._core._multiarray_umath import __cpu_baseline__

    assert {"X86_V2", "SSE42"} & set(__cpu_baseline__)


def test_libraries_of_macos_and_windows_are_kept_under_their_own_names(tmp_path):
    site = tmp_path / "site-packages"
    for folder in ("llama_cpp/lib", "bin"):
        (site / folder).mkdir(parents=True)
    for name in ("libllama.dylib", "libllama.0.dylib", "libllama.0.5.0.dylib", "llama.dll", "ggml.dll", "llama.lib"):
        (site / "llama_cpp/lib" / name).write_text(name)
    made = {path.name for path in engine_libraries.copy(site, tmp_path / "lib")}
    assert made == {*("libllama.dylib", "libllama.0.dylib", "libllama.0.5.0.dylib"), *("llama.dll", "ggml.dll")}


def test_a_bundle_of_files_that_were_changed_says_so_beside_its_commit(tmp_path):
    file = tmp_path / "app" / "__init__.py"
    file.parent.mkdir()
    file.write_text('__version__ = "0.1.0"\n', encoding="utf-8")
    who = ("-c", "user.name=x", "-c", "user.email=x@example.jp")
    for words in (("init", "-q"), ("add", "."), (*who, "commit", "-q", "-m", "x"), ("tag", "v0.1.0")):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    commit = bundle.build_facts(tmp_path)["commit"]
    assert re.fullmatch("[0-9a-f]{11}", commit)
    file.write_text('__version__ = "0.1.1"\n', encoding="utf-8")
    assert bundle.build_facts(tmp_path)["commit"] == f"{commit}+"


WITHOUT = """
import importlib, modulefinder, pkgutil, sys, types

class LeftOut:
    def find_spec(self, name, path=None, target=None):
        if any(name == one or name.startswith(one + ".") for one in sys.argv[1:]):
            raise ModuleNotFoundError(name, name=name)

def imported(code):
    for kind, what in modulefinder.ModuleFinder().scan_opcodes(code):
        if kind == "absolute_import":
            yield what[1]
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from imported(constant)

sys.meta_path.insert(0, LeftOut())
import app
names = set()
for module in pkgutil.walk_packages(app.__path__, "app."):
    names.update(imported(module.module_finder.find_spec(module.name).loader.get_code(module.name)))
    if not module.name.endswith("__main__"):
        names.add(module.name)
for name in sorted(names):
    try:
        importlib.import_module(name)
    except ImportError as error:  # of another system, or of what is not installed here
        if error.name in sys.argv[1:]:
            print(name, "needs", error.name)
print(len(names))
"""


def test_nothing_that_is_in_a_bundle_asks_for_what_was_left_out():
    """Also where a library names a module only while it runs, which PyInstaller does not see."""
    command = [sys.executable, "-P", "-c", WITHOUT, *bundle_contents.EXCLUDED_MODULES]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=True)
    *needed, count = told.stdout.splitlines()
    assert needed == []
    assert int(count) > 600


RECOGNIZE = """
import sys
from pathlib import Path
import numpy, PIL

class LeftOut:
    def find_spec(self, name, path=None, target=None):
        if any(name == one or name.startswith(one + ".") for one in sys.argv[2:]):
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, LeftOut())
from app.documents.reading.pdf import ocr
ocr.is_part_unchanged = lambda part: True  # nobody has signed these packages
words = ocr.make_recognizer(Path(sys.argv[1]), lambda *_: None).words(numpy.full((200, 400), 255, numpy.uint8))
print(words, "rapidocr" in sys.modules)
"""


@pytest.mark.ocr
@pytest.mark.skipif("KOTAE_OCR_WHEELS" not in os.environ, reason="KOTAE_OCR_WHEELS names no folder with wheels")
def test_the_part_for_text_recognition_asks_for_nothing_that_was_left_out(tmp_path):
    for wheel in Path(os.environ["KOTAE_OCR_WHEELS"]).glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(tmp_path)
    command = [sys.executable, "-P", "-c", RECOGNIZE, str(tmp_path), *bundle_contents.EXCLUDED_MODULES]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert (told.returncode, told.stdout.split()) == (0, ["[]", "True"]), told.stderr[-2000:]
