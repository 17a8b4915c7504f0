"""`kotae bench`: measurements that anyone can repeat. Ratios within one run; the machine may be noisy."""

import argparse
from typing import Any

from app.cli.output import Output
from app.core.paths import Paths


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    from app.cli.main import add_command

    group = add_command(commands, shared, "bench", "速さを測る", None)
    actions = group.add_subparsers(dest="action", metavar="ACTION", title="コマンド", required=True)
    engine = add_command(actions, shared, "engine", "回答の処理を、素の llama.cpp と比べる", _engine)
    engine.add_argument("--model", metavar="ID|FILE")
    engine.add_argument("--runs", metavar="N", type=int, default=5, help="交互に測る回数（既定 5）")
    engine.add_argument("--prompt-tokens", metavar="N", type=int, default=512)
    engine.add_argument("--answer-tokens", metavar="N", type=int, default=64)
    engine.add_argument("--context", metavar="N", type=int, default=2048)
    engine.add_argument("--threads", metavar="N", type=int)
    engine.add_argument("--repack", action="store_true", help="重みを並べ替えて読み込む")
    start = add_command(actions, shared, "start", "窓が使えるまでの時間とメモリを測る", _start)
    start.add_argument("--conversations", metavar="N", type=int, default=1000)
    start.add_argument("--runs", metavar="N", type=int, default=5)


def _engine(options: argparse.Namespace, where: Paths, output: Output) -> int:
    from app.cli import bench_engine

    return bench_engine.run(options, where, output)


def _start(options: argparse.Namespace, where: Paths, output: Output) -> int:
    from app.cli import bench_start

    return bench_start.run(options, where, output)
