"""What can be compared and what a wish lacks, without any window."""

import dataclasses
import subprocess
import sys
from typing import Any

import pytest

from app.documents.grounding.grounding_record import CollectionRef
from app.documents.records import DocumentCollection
from app.evaluation.question_sets import StoredQuestionSet
from app.evaluation.study.request import AnswerParameters, StudyRequest
from app.evaluation.ui import study_dialog_rules
from app.evaluation.ui.study_dialog_rules import DialogFiles, DialogOffer
from app.inference.local_model import LocalModel, TuningRecord
from app.training.runs.training_list import SplitChoice

BASE = LocalModel("b", "土台", "/b.gguf", 1, "llama", "Q4_K_M", 4096, 1.0)
OTHER = dataclasses.replace(BASE, id="o", name="別", path="/o.gguf")
SEARCH = dataclasses.replace(BASE, id="s", architecture="modern-bert", path="/s.gguf")
TOLD = TuningRecord("r", "言い回し", "Q4_K_M", "土台", "", "")
TUNED = dataclasses.replace(BASE, id="t", name="言い回し", tuned=TOLD, adapter="/a.lora", added_at=2.0)
NEWER = dataclasses.replace(TUNED, id="n", name="書式", added_at=3.0)
COLLECTION = DocumentCollection(1, "基準", documents=2)
STORED = StoredQuestionSet("現場", "internal", ())
FILES = DialogFiles([STORED], [SplitChoice("敬体", "/split")], {}, 24, has_trainer=True)
ALL = DialogOffer((BASE, OTHER), {}, (COLLECTION,), FILES, 4096, "")
UNASKED = {"files": FILES._replace(sets=[])}
UNTRAINED = {"files": FILES._replace(has_trainer=False)}
SCOPE = (CollectionRef(1, "基準"),)

DOCUMENTS = StudyRequest("documents", AnswerParameters(), "現場", models=(BASE,), scope=SCOPE)
MODELS = StudyRequest("models", AnswerParameters(), models=(BASE, OTHER))
FORMS = StudyRequest("quantizations", AnswerParameters(), models=(BASE,), forms=("F16", "Q8_0"))
SCALE = StudyRequest("scale", AnswerParameters(), models=(BASE,), data="/split", sizes=(10, 20))


@pytest.mark.parametrize(
    ("kind", "change", "code"),
    [
        ("documents", {}, ""),
        ("documents", {"models": (SEARCH,)}, "no_model"),
        ("documents", UNASKED, "no_set"),
        ("documents", {"collections": ()}, "no_collection"),
        ("models", {}, ""),
        ("models", {"models": (BASE, SEARCH)}, "one_model"),
        ("models", UNASKED, ""),
        ("thinking", {}, "no_thinking"),
        ("thinking", {"models": (dataclasses.replace(BASE, form_id="qwen3"),)}, ""),
        ("quantizations", {}, ""),
        ("quantizations", UNTRAINED, "no_environment"),
        ("quantizations", {**UNTRAINED, "models": (dataclasses.replace(BASE, quantization="BF16"),)}, ""),
        ("scale", UNTRAINED, "no_environment"),
        ("scale", {"files": FILES._replace(splits=[])}, "no_split"),
        ("scale", {}, "no_base"),  # their files are gone
    ],
)
def test_a_comparison_is_open_where_there_is_what_it_takes(kind: str, change: dict[str, Any], code: str) -> None:
    assert study_dialog_rules.obstacle(kind, dataclasses.replace(ALL, **change)) == code


@pytest.mark.parametrize("wish", [DOCUMENTS, MODELS, FORMS, SCALE])
def test_a_whole_wish_lacks_nothing(wish: StudyRequest) -> None:
    assert study_dialog_rules.problem(wish) == ""


@pytest.mark.parametrize(
    ("wish", "change", "code"),
    [
        (DOCUMENTS, {"question_set": ""}, "set"),
        (DOCUMENTS, {"models": ()}, "model"),
        (DOCUMENTS, {"scope": ()}, "scope"),
        (MODELS, {"models": ()}, "models"),
        (MODELS, {"models": (BASE,)}, "models"),
        (FORMS, {"models": ()}, "model"),
        (FORMS, {"forms": ("F16",)}, "forms"),
        (SCALE, {"data": ""}, "split"),
        (SCALE, {"models": ()}, "model"),
        (SCALE, {"sizes": ()}, ""),
        (SCALE, {"sizes": (20,)}, "sizes_order"),
        (SCALE, {"sizes": (20, 20)}, "sizes_order"),
        (SCALE, {"sizes": (9, 20)}, "sizes_small"),
        (MODELS, {"asking": AnswerParameters(seeds=2, temperature=0.0)}, "seeds"),
        (MODELS, {"asking": AnswerParameters(seeds=2, temperature=0.5)}, ""),
        (MODELS, {"asking": AnswerParameters(seeds=1, temperature=0.0)}, ""),
    ],
)
def test_what_is_missing_has_a_code(wish: StudyRequest, change: dict[str, object], code: str) -> None:
    assert study_dialog_rules.problem(dataclasses.replace(wish, **change)) == code  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("", ()),
        ("  ", ()),
        ("50,100", (50, 100)),
        ("５０、１００　２００", (50, 100, 200)),
        ("50;100", None),
        ("五十", None),
        ("-5, 10", None),
        ("0, 10", None),
        ("1" * 20, None),
    ],
)
def test_sizes_are_read_as_people_write_them(text: str, sizes: tuple[int, ...] | None) -> None:
    assert study_dialog_rules.sizes_of(text) == sizes


def test_trainings_of_a_base_are_offered_the_newest_first_and_the_model_of_the_window_comes_first() -> None:
    models = (BASE, OTHER, TUNED, NEWER)
    merged = dataclasses.replace(TUNED, id="m", adapter="", path="/m.gguf", added_at=9.0)
    assert study_dialog_rules.tuned_on(BASE, models, with_merged=True) == [NEWER, TUNED]
    assert study_dialog_rules.tuned_on(OTHER, models, with_merged=True) == []
    assert study_dialog_rules.tuned_on(None, models, with_merged=True) == []
    assert merged not in study_dialog_rules.tuned_on(BASE, (*models, merged), with_merged=False)
    models = (OTHER, BASE, TUNED)
    assert study_dialog_rules.first_base(models, [OTHER, BASE], "t") == BASE
    assert study_dialog_rules.first_base(models, [OTHER, BASE], "b") == BASE
    assert study_dialog_rules.first_base(models, [OTHER, BASE], "gone") == OTHER
    assert study_dialog_rules.first_base((), [], "") is None


def test_what_is_typed_is_looked_at_without_what_takes_long_to_load() -> None:
    code = (
        "import sys; from app.evaluation.ui import study_dialog_rules as rules; "
        "from app.evaluation.study.request import AnswerParameters, StudyRequest; "
        "asked = StudyRequest('scale', AnswerParameters(), base='b', data='d', sizes=(5, 20)); "
        "assert rules.problem(asked) == 'sizes_small'; "
        "rules.problem_text('sizes_small'); "
        "sys.exit('numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
