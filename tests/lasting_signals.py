"""The rule for lambdas on signals: only on those of what the same class or function has made.

Qt ends the connection of a bound method when its object goes. It cannot know what a lambda, a partial or an inner
function holds: on a signal of something that was handed in (theme, preferences, a service) it goes on being called
after its widget was deleted, and raises "Internal C++ object already deleted".
"""

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.sources import Source

# Named for what lives as long as the window, wherever they are reached through.
_LASTING = {"theme", "navigation", "preferences", "conversations", "session"}
_MAKERS = ("add", "create", "make", "build")
_GETTERS = ("_application", "conversion_guard_of")  # functions that give what is there already
_ROUNDABOUT = ("items", "values", "enumerate", "zip", "reversed")
_ADVICE = "connects a lambda, a partial or an inner function to what it was handed: connect a method of the widget"

_ADVICE_LATER = "lets a lambda of the widget be called later: hand in a method, or functools.partial of a method"

Scope = ast.FunctionDef | ast.Lambda


def lasting_connections(source: Source) -> list[str]:
    """Connections that may be called after their widget has gone. Elsewhere than in `ui` there are none."""
    path, module = source.path, source.tree
    if not (path.startswith("app/uikit/") or "/ui/" in path):
        return []
    connected = [f"{path}:{call.lineno} {_ADVICE}" for call, owners in _connections(module) if not owners.allow(call)]
    return connected + [f"{path}:{call.lineno} {_ADVICE_LATER}" for call in _calls_later(module)]


class _Owners:
    """What a name or an attribute is in the function and class around a connection."""

    def __init__(self, around: list[ast.AST], asked: set[object] | None = None) -> None:
        self._scopes = [one for one in around if isinstance(one, Scope)]
        self._class = next((one for one in around if isinstance(one, ast.ClassDef)), None)
        self._asked: set[object] = set() if asked is None else asked

    def is_closure(self, slot: ast.expr) -> bool:
        inner = {node.name for scope in self._scopes for node in ast.walk(scope) if isinstance(node, ast.FunctionDef)}
        return isinstance(slot, ast.Lambda | ast.Call) or (isinstance(slot, ast.Name) and slot.id in inner)

    def allow(self, call: ast.Call) -> bool:
        """`destroyed` comes once, at an end at which no method of what goes with it is called any more."""
        assert isinstance(call.func, ast.Attribute)
        signal = call.func.value
        return (isinstance(signal, ast.Attribute) and signal.attr == "destroyed") or self._is_made(signal)

    def _is_made(self, value: ast.expr) -> bool:
        """Whether the object that `value` is, or is a part of, was made by this class or function."""
        match value:
            case ast.Call(func=ast.Name(id=name)) if name in _ROUNDABOUT:
                return all(self._is_made(argument) for argument in value.args)
            case ast.Call(func=ast.Name(id=name)):
                return name not in _GETTERS
            case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=name)):
                return _makes(name) or (not self._is_method(name) and self._is_own(name))
            case ast.Call(func=ast.Attribute(value=ast.Name(id=module))) if self._is_imported(module):
                return not module[:1].isupper()  # a function of a module; classes give what there is only once
            case ast.Call(func=ast.Attribute(value=whole, attr=name)):
                return name[:1].isupper() or _makes(name) or self._is_made(whole)
            case ast.Attribute(value=ast.Name(id="self"), attr=name):
                return name.lstrip("_") not in _LASTING and self._is_own(name)
            case ast.Attribute(value=whole, attr=name):
                return name[:1].isupper() or (name.lstrip("_") not in _LASTING and self._is_made(whole))
            case ast.Subscript(value=whole) | ast.Starred(value=whole):
                return self._is_made(whole)
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                return all(self._is_made(part) for part in parts)
            case ast.Dict(keys=keys, values=values):
                return all(
                    self._is_made(part)
                    for part in (*keys, *values)
                    if isinstance(part, ast.Attribute | ast.Name | ast.Call) and not _is_word(part)
                )
            case ast.ListComp(elt=part) | ast.GeneratorExp(elt=part) | ast.DictComp(value=part):
                return self._is_made(part)
            case ast.IfExp(body=one, orelse=other):
                return self._is_made(one) and self._is_made(other)
            case ast.Name(id="self") | ast.Constant(value=None):
                return True
            case ast.Name(id=name):
                return self._is_local(name)
        return False

    def _is_imported(self, name: str) -> bool:
        given = (arg.arg for scope in self._scopes for arg in _arguments(scope))
        return name not in given and not any(self._values_of(name))

    def _values_of(self, name: str) -> Iterator[ast.expr]:
        for scope in self._scopes:
            yield from _assigned(scope, lambda target: isinstance(target, ast.Name) and target.id == name)

    def _is_method(self, name: str) -> bool:
        return any(isinstance(node, ast.FunctionDef) and node.name == name for node in getattr(self._class, "body", ()))

    def _is_own(self, name: str) -> bool:
        """A signal of the class and what Qt's class has are its own, too; so is what every assignment makes."""
        assert self._class is not None
        methods = [node for node in self._class.body if isinstance(node, ast.FunctionDef)]
        found = [(m, value) for m in methods for value in _assigned(m, lambda target: _is_self(target, name))]
        with self._asking(name) as is_first:
            return not is_first or all(_Owners([m, self._class], self._asked)._is_made(value) for m, value in found)

    def _is_local(self, name: str) -> bool:
        given = [arg.arg for scope in self._scopes for arg in _arguments(scope)]
        values = list(self._values_of(name))
        with self._asking((name, *map(id, self._scopes))) as is_first:
            return not is_first or (name not in given and bool(values) and all(map(self._is_made, values)))

    @contextmanager
    def _asking(self, key: object) -> Iterator[bool]:
        """Whether the same is not being asked already, as of what is made of itself."""
        is_first = key not in self._asked
        self._asked.add(key)
        yield is_first
        if is_first:
            self._asked.discard(key)


def _makes(name: str) -> bool:
    return name.lstrip("_").startswith(_MAKERS) or name.endswith("_dialog")


def _is_word(value: ast.expr) -> bool:
    """Whether it is a text for people, as keys and values of tables are."""
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr in ("tr", "format")


def _is_self(target: ast.expr, name: str) -> bool:
    return (
        isinstance(target, ast.Attribute)
        and isinstance(target.value, ast.Name)
        and target.value.id == "self"
        and target.attr == name
    )


def _arguments(scope: Scope) -> Iterator[ast.arg]:
    arguments = scope.args
    for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg):
        if one is not None and one.arg != "self":
            yield one


def _assigned(scope: ast.AST, is_it: Callable[[ast.expr], bool]) -> Iterator[ast.expr]:
    """What is assigned in the function to targets for which `is_it`, also by loops and within tuples."""
    for node in ast.walk(scope):
        pairs: list[tuple[ast.expr, ast.expr | None]] = []
        if isinstance(node, ast.Assign):
            pairs = [(target, node.value) for target in node.targets]
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr):
            pairs = [(node.target, node.value)]
        elif isinstance(node, ast.For | ast.comprehension):
            pairs = [(node.target, node.iter)]
        for target, value in pairs:
            if value is not None:
                yield from _parts(target, value, is_it)


def _parts(target: ast.expr, value: ast.expr, is_it: Callable[[ast.expr], bool]) -> Iterator[ast.expr]:
    if is_it(target):
        yield value
    elif isinstance(target, ast.Tuple):
        values = value.elts if isinstance(value, ast.Tuple) and len(value.elts) == len(target.elts) else None
        for at, part in enumerate(target.elts):
            yield from _parts(part, values[at] if values else value, is_it)


def _connections(module: ast.Module) -> Iterator[tuple[ast.Call, _Owners]]:
    """The calls of `connect` with a closure, and what surrounds each."""

    def walk(node: ast.AST, around: list[ast.AST]) -> Iterator[tuple[ast.Call, _Owners]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Call) and isinstance(child.func, ast.Attribute) and child.func.attr == "connect":
                owners = _Owners(around)
                if child.args and owners.is_closure(child.args[0]):
                    yield child, owners
            inner = [child, *around] if isinstance(child, ast.ClassDef | Scope) else around
            yield from walk(child, inner)

    yield from walk(module, [])


def _calls_later(module: ast.Module) -> Iterator[ast.Call]:
    """Return background work and timers without a receiver that end in a closure which holds the widget."""
    inner = {
        inner.name: inner
        for outer in ast.walk(module)
        if isinstance(outer, ast.FunctionDef)
        for inner in ast.walk(outer)
        if isinstance(inner, ast.FunctionDef) and inner is not outer
    }
    for call in ast.walk(module):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            is_work = isinstance(call.func.value, ast.Name) and call.func.value.id == "background"
            is_timer = call.func.attr == "singleShot" and len(call.args) == 2
            for slot in call.args[1:] if is_work or is_timer else ():
                body = inner.get(slot.id) if isinstance(slot, ast.Name) else slot
                if isinstance(body, ast.Lambda | ast.FunctionDef) and any(
                    isinstance(node, ast.Name) and node.id == "self" for node in ast.walk(body)
                ):
                    yield call
