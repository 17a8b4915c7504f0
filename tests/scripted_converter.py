"""A converter for tests without torch: a real process that speaks the protocol of `trainer.convert_job`.

`python scripted_converter.py BEHAVIOUR COUNTER JOB.json`. It writes the file COUNTER/model.gguf as the result of a
conversion (of gguf_to_hf: the folder COUNTER/unpacked) and adds a line with the job's kind to COUNTER/jobs. BEHAVIOUR:
ok | die | garbage | silent | wait, or fail:CODE, or touch (changes the source's config.json meanwhile); with `@KIND`
behind it only for jobs of that kind.
"""

import json
import os
import shutil
import sys
import threading
from pathlib import Path


def main() -> None:
    behaviour, folder, job = sys.argv[1], Path(sys.argv[2]), json.loads(Path(sys.argv[3]).read_text("utf-8"))
    wanted, _, only = behaviour.partition("@")
    if only and only != job["kind"]:
        wanted = "ok"
    with (folder / "jobs").open("a", encoding="utf-8") as file:
        file.write(job["kind"] + "\n")
    send({"event": "started", "protocol": 1, "pid": os.getpid()})
    target, part = Path(job["target"]), Path(job["target"] + ".part")
    threading.Thread(target=end_with_parent, args=(part,), daemon=True).start()
    part.write_bytes(b"half")
    send({"event": "progress", "done_bytes": 1, "total_bytes": 2})
    if wanted == "die":
        os.kill(os.getpid(), 9)
    if wanted == "silent":
        os._exit(0)
    if wanted == "garbage":
        print("Segmentation fault, says somebody", flush=True)
    if wanted in ("wait", "garbage"):
        threading.Event().wait()
    if wanted.startswith("fail:"):
        part.unlink()
        facts = {
            "tensor_missing": {"detail": "lm_head.weight"},
            "adapter_mismatch": {"base": "Tiny", "where": "lm_head.weight"},
        }.get(wanted.partition(":")[2], {})
        send({"event": "failed", "code": wanted.removeprefix("fail:"), "facts": facts})
        os._exit(1)
    if wanted == "touch":
        config = Path(job["source"]) / "config.json"
        config.write_text(config.read_text("utf-8") + " ", encoding="utf-8")
    if job["kind"] == "gguf_to_hf":
        part.unlink()
        shutil.copytree(folder / "unpacked", part)
    else:
        shutil.copyfile(folder / "model.gguf", part)
    part.replace(target)
    send({"event": "finished", "path": str(target), "seconds": 0.1, "peak_rss_bytes": 1000, "notes": {}})
    os._exit(0)


def end_with_parent(part: Path) -> None:
    sys.stdin.buffer.read()
    part.unlink(missing_ok=True)
    os._exit(3)


def send(event: dict[str, object]) -> None:
    print(json.dumps(event), flush=True)


main()
