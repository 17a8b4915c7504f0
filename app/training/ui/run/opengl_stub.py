"""Replace Qt's OpenGL modules by stubs for pyqtgraph, so that bundles can omit 9 MB that no plot uses.

pyqtgraph imports both modules with its curves, but uses them only if OpenGL is enabled. It has no option to skip the
import (0.14).
"""

import sys
from types import ModuleType

for _name, _classes in (("PySide6.QtOpenGL", ()), ("PySide6.QtOpenGLWidgets", ("QOpenGLWidget",))):
    _module = ModuleType(_name)
    for _class in _classes:  # pyqtgraph derives a class from it
        setattr(_module, _class, type(_class, (), {}))
    sys.modules.setdefault(_name, _module)
