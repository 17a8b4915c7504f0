"""Start Kotae in the role that the first argument names.

- no argument: the window
- `--engine`: the child process that runs a model
- `--remote-engine`: the child process that asks a server of the local network instead, the only address it may use
- `--render-template`: the child that renders chat templates
- `--download`: the child that downloads models; it may use any network
- `--make-training-environment`: the child that makes the training environment; it may use any network until it has
  fetched its packages
- `--quantize`: the child that quantizes weights
- `--score`: the child that measures a trained model
- `--list-devices`: the child that asks the drivers of graphics cards what there is
- `--measure-speed`: the child that measures how fast llama.cpp computes on this machine
- `--read-documents`, `--read-workbook`: the children that open documents and Excel tables from elsewhere
- `--convert-document`: the child of the former that runs LibreOffice
- `--offline-check`: the children that check whether anything leaves this machine
- anything else: the command line

Heavy imports wait until the role is known.
"""

import signal
import sys

from app import __version__

_MAKE_TRAINING = "--make-training-environment"
_ENGINE_ROLES = {
    "--quantize": "app.inference.engine.quantize",
    "--score": "app.inference.engine.score",
    "--list-devices": "app.inference.engine.llama",
}
_CHILD_ROLES = (
    *("--engine", "--render-template", "--download", "--quantize", "--score", "--read-documents"),
    *("--read-workbook", "--convert-document", "--offline-check"),
    *("--remote-engine", "--measure-speed", "--list-devices", _MAKE_TRAINING),
)


def main() -> int:
    arguments = sys.argv[1:]
    if arguments == ["--version"]:  # needs nothing of what follows
        print(f"kotae {__version__}", flush=True)  # noqa: T201
        return 0
    # Ctrl+C ends the imports without a traceback; `cli.main` says that a command was interrupted.
    is_interruptible = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_interruptible:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    _prepare(arguments)
    if arguments[:1] == ["--engine"]:
        from app.inference.engine import worker

        worker.main(*arguments[1:])
    if arguments[:1] == ["--remote-engine"]:
        from app.inference.remote import worker as remote

        remote.main(arguments[1:])
    if arguments[:1] == ["--render-template"]:
        from app.inference.engine import chat_template

        return chat_template.main()
    if arguments[:1] == ["--download"]:
        from app.models.downloads import worker as downloader

        downloader.main()
    if arguments and arguments[0] in _ENGINE_ROLES:
        import importlib

        importlib.import_module(_ENGINE_ROLES[arguments[0]]).main(arguments[1:])
    if arguments[:1] == ["--measure-speed"]:
        from app.inference.engine import speed_meter

        speed_meter.main(*arguments[1:])
    if arguments[:1] == ["--read-documents"]:
        from app.documents.reading import worker as reader

        reader.main(arguments[1])
    if arguments[:1] == ["--read-workbook"]:
        from app.base.tables import workbook_child

        workbook_child.main(arguments[1:])
    if arguments[:1] == ["--convert-document"]:
        from app.documents.reading import office_conversion

        office_conversion.main(arguments[1:])
    if arguments[:1] == [_MAKE_TRAINING]:
        from app.models.downloads.package_download import fetch_packages
        from app.training.environment import child as training_setup

        training_setup.main(fetch_packages)
    if arguments[:1] == ["--offline-check"]:
        from app.compliance.offline_check import child as offline_check

        offline_check.main(arguments[1:])
    from app import cli

    if is_interruptible:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return cli.main(arguments, _open_window)


def _prepare(arguments: list[str]) -> None:
    """Set up what every role needs, before any module of the role is imported."""
    from app.base import programs
    from app.base.files import file_permissions
    from app.base.invisible_characters import SafeTerminal

    file_permissions.restrict_umask()
    # Paths and output are UTF-8 whatever the locale is, also under LANG=C.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    sys.stdout, sys.stderr = SafeTerminal.around(sys.stdout), SafeTerminal.around(sys.stderr)
    programs.prepare_child_environment()
    _guard(arguments)
    if arguments and arguments[0] in _CHILD_ROLES:
        # Ctrl+C in a terminal reaches every process of the group, but a child ends when its parent closes the pipe.
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _guard(arguments: list[str]) -> None:
    """Restrict what this process may reach on the network, before any module of its role is imported."""
    from app.base.isolation import network_guard

    network_guard.install_socket_filter_for(arguments)
    if arguments[:1] in (["--download"], [_MAKE_TRAINING]):  # the second role goes offline once it has its packages
        network_guard.permit_downloads()
    elif arguments[:1] == ["--remote-engine"]:
        from app.inference.remote import worker as remote

        remote.guard(arguments[1:])
    else:
        network_guard.enforce_offline()


def _open_window(data_dir: str | None, language: str | None, is_safe: bool, file: str | None) -> int:
    from app import application  # the widgets load only for the window

    return application.run(data_dir, language, is_safe, file)


if __name__ == "__main__":
    sys.exit(main())
