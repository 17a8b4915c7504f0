"""Lets pyqtgraph do without Qt's OpenGL: 9 MB that nothing of ours draws with, so bundles come without it.

pyqtgraph imports both modules with its curves and uses them only where OpenGL is asked for. It has no option to leave
them out (0.14).
"""

import sys
from types import ModuleType

for _name, _classes in (("PySide6.QtOpenGL", ()), ("PySide6.QtOpenGLWidgets", ("QOpenGLWidget",))):
    _module = ModuleType(_name)
    for _class in _classes:  # it derives one from it
        setattr(_module, _class, type(_class, (), {}))
    sys.modules.setdefault(_name, _module)
