"""One program, several roles, chosen by the first argument.

Nothing: the window. `--engine`: the inference child. `--render-template`: the chat-template child. `--bare-loop`: the
yardstick of the benchmark. `--download`: the downloading child, the only one that may use the network. `--quantize`:
the child that makes weights smaller. `--score`: the child that measures what training has made of a model.
`--make-training-environment`: the child that makes that, with pip, which fetches. `--read-documents`: the child that
opens foreign documents. Anything else: the command line. Heavy imports wait until the role is known.
"""

import signal
import sys

from app.core import children, offline

_MAKE_TRAINING = "--make-training-environment"
_CHILD_ROLES = (
    *("--engine", "--render-template", "--bare-loop", "--download", "--quantize", "--score", "--read-documents"),
    _MAKE_TRAINING,
)


def main() -> int:
    # Before the locale decides otherwise: paths and output are UTF-8, also under LANG=C.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    children.prepare_environment()
    arguments = sys.argv[1:]
    if arguments[:1] == ["--download"]:
        offline.permit()
    else:
        offline.enforce()
    if arguments and arguments[0] in _CHILD_ROLES:
        # Ctrl+C in a terminal reaches the whole group; a child ends when its parent closes the pipe.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    if arguments[:1] == ["--engine"]:
        from app.engine import worker

        worker.main(arguments[1] if len(arguments) > 1 else "llama")
    if arguments[:1] == ["--render-template"]:
        from app.engine import template

        return template.main()
    if arguments[:1] == ["--bare-loop"]:
        from app.engine import bare

        return bare.main(arguments[1:])
    if arguments[:1] == ["--download"]:
        from app.downloads import worker as downloader

        downloader.main()
    if arguments[:1] == ["--quantize"]:
        from app.engine import quantize

        quantize.main(arguments[1:])
    if arguments[:1] == ["--score"]:
        from app.engine import score

        score.main(arguments[1:])
    if arguments[:1] == ["--read-documents"]:
        from app.documents import worker as reader

        reader.main(arguments[1])
    if arguments[:1] == [_MAKE_TRAINING]:
        from app.core.training_setup import child as training_setup

        training_setup.main()
    from app.cli import main as cli

    return cli.main(arguments, _open_window)


def _open_window(data_dir: str | None, language: str | None) -> int:
    from app import application  # the widgets load only for the window

    return application.run(data_dir, language)


if __name__ == "__main__":
    sys.exit(main())
