"""What the program and the converting process agree on, over JSON and back."""

import json

import pytest

from app.base import wording
from trainer import convert_job
from trainer.convert_job import Failed, Finished, GgufToHf, HfToGguf, LoraToGguf, Merge, Phase, Progress, Started

JOBS = [
    HfToGguf("/モデル", "/出力/a.gguf", "/llama.cpp", "bf16"),
    LoraToGguf("/追加", "/モデル", "/出力/a.gguf", "/llama.cpp"),
    Merge("/a.gguf", "/b.gguf", "/c.gguf", "/llama.cpp", 0.5),
    GgufToHf("/a.gguf", "/フォルダ"),
]
EVENTS = [
    Started(1, 42),
    Phase("writing"),
    Progress(3, 10),
    Finished("/出力/a.gguf", 1.5, 10**9, {"pre_tokenizer": "qwen2"}),
    Failed("tensor_missing", {"detail": "blk.0"}),
]


def test_jobs_and_events_survive_json():
    for job in JOBS:
        assert convert_job.job_from_json(json.loads(json.dumps(convert_job.job_to_json(job)))) == job
    for event in EVENTS:
        assert convert_job.event_from_json(json.loads(json.dumps(convert_job.event_to_json(event)))) == event


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"version": None},
        {"kind": "train"},
        {"source": "relative"},
        {"source": 1},
        {"target": ""},
        {"outtype": "q4_k_m"},
        {"trust_remote_code": True},
    ],
)
def test_anything_else_is_refused(change):
    with pytest.raises(ValueError):
        convert_job.job_from_json(convert_job.job_to_json(JOBS[0]) | change)


@pytest.mark.parametrize("strength", ["1", None, True, float("nan"), float("inf")])
def test_the_strength_is_a_finite_number(strength):
    with pytest.raises(ValueError):
        convert_job.job_from_json(convert_job.job_to_json(JOBS[2]) | {"strength": strength})


def test_an_unknown_event_is_refused():
    with pytest.raises(ValueError, match="unknown event"):
        convert_job.event_from_json({"event": "step", "loss": 1})
    with pytest.raises(ValueError, match="Progress"):
        convert_job.event_from_json({"event": "progress", "bytes": 1})


def test_every_failure_has_a_sentence():
    assert set(convert_job.FAILURES) <= wording.error_codes()
