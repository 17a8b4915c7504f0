"""The training environment's side of the trainer's tests: calls to its modules, asked for and answered in JSON.

`<trainer python> trainer_side.py REQUESTS.json ANSWERS.json`: for each request {"call": NAME, ...} its result, or
{"error": [code, facts]}. One process for all of a test file's questions: it takes seconds to start.
"""

import dataclasses
import functools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

Json = dict[str, Any]


def ask(python: Path, requests: dict[str, Json], folder: Path) -> dict[str, Any]:
    """The program's side: name -> request in, name -> answer out."""
    asked, answered = folder / "requests.json", folder / "answers.json"
    asked.write_text(json.dumps(list(requests.values())), encoding="utf-8")
    argv = [str(python), "-X", "utf8", __file__, str(asked), str(answered)]
    run = subprocess.run(argv, capture_output=True, encoding="utf-8", check=False)
    assert run.returncode == 0, run.stderr[-3000:]
    return dict(zip(requests, json.loads(answered.read_text(encoding="utf-8")), strict=True))


# ---------------------------------------------------------- in the environment


@functools.cache
def loaded(folder: str) -> Any:
    from trainer import tokens

    return tokens.load(Path(folder))


def form_in(request: Json) -> Any:
    from trainer import spec

    return spec._form(request["form"])


def encode(request: Json) -> Any:
    """Of each chat its prompt's ids (without the last answer), and its examples."""
    from trainer import form as forms

    tokens, form = loaded(request["folder"]), form_in(request)
    return [
        {
            "prompt": tokens.encode(forms.prompt(form, chat[:-1])).ids,
            "examples": [dataclasses.asdict(tokens.encode(pieces)) for pieces in forms.examples(form, chat)],
        }
        for chat in request["chats"]
    ]


def facts(request: Json) -> Any:
    tokens = loaded(request["folder"])
    return {
        "bos_id": tokens.bos_id,
        "eos_id": tokens.eos_id,
        "pad_id": tokens.pad_id,
        "end_ids": tokens.end_ids,
        "size": tokens.size,
        "control_ids": sorted(tokens.control_ids),
    }


def texts(request: Json) -> Any:
    """The pieces that people see, and all bytes joined."""
    tokens = loaded(request["folder"])
    ids = tokens.ids(request["text"])
    joined = b"".join(tokens.bytes_of(id) for id in ids).decode("utf-8", "replace")
    return {"pieces": [tokens.text_of(id) for id in ids], "joined": joined}


CALLS = {call.__name__: call for call in (encode, facts, texts)}


def main(asked: str, answered: str) -> None:
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from trainer import offline

    offline.enforce()
    from trainer.failure import RunError

    answers: list[Any] = []
    for request in json.loads(Path(asked).read_text(encoding="utf-8")):
        try:
            answers.append(CALLS[request["call"]](request))
        except RunError as error:
            answers.append({"error": [error.code, error.facts]})
    Path(answered).write_text(json.dumps(answers, default=str), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
