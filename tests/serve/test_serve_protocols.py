"""The other paths of `kotae serve`: completions, responses, embeddings, and calls of functions."""

import base64
import io
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.inference import machine
from app.models import local_models, starter
from app.models.model_store import ModelStore
from app.serve import completion_request, tool_calls
from app.serve.answer_forms import ResponseForm
from app.serve.completion_request import HttpError
from app.serve.tool_calls import Tool
from tests import model_files as models
from tests.embedding_model import tiny_bert
from tests.serve.served import COVER, Served, say, serving

WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "天気を調べる",
        "parameters": {
            "type": "object",
            "properties": {"city": {"$ref": "#/$defs/City"}},
            "required": ["city"],
            "$defs": {"City": {"enum": ["東京", "大阪"]}},
        },
    },
}
CALLED = '{"tool": "weather", "arguments": {"city": "東京"}}'


def test_a_text_is_continued_as_it_is(served: Served) -> None:
    with served.client() as client:
        whole = client.completions.create(model="kotae", prompt="春は", max_tokens=9)
        chunks = list(client.completions.create(model="kotae", prompt=["春は!say あけぼの"], stream=True))
        cut = client.completions.create(model="kotae", prompt="春はあけぼの", max_tokens=2)
        spaced = client.completions.create(model="kotae", prompt="Spring is\u3000!say \u3000dawn")
    assert whole.choices[0].text == "春は"  # the fake engine repeats the prompt: nothing stands around it
    assert (whole.object, whole.choices[0].finish_reason) == ("text_completion", "stop")
    assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == "あけぼの"
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert (cut.choices[0].text, cut.choices[0].finish_reason) == ("春は", "length")
    assert spaced.choices[0].text == "\u3000dawn"


def test_a_response_has_its_output_and_usage(served: Served) -> None:
    with served.client() as client:
        whole = client.responses.create(model="kotae", input="!say 二です。", instructions="短く")
        cut = client.responses.create(model="kotae", input=say("二です。"), max_output_tokens=2)
        asked = client.responses.create(model="kotae/基準", input="土に接する部材の鉄筋のかぶりは何mmですか")
    assert (whole.output_text, whole.status, whole.store) == ("二です。", "completed", False)  # type: ignore[attr-defined]
    assert whole.usage is not None
    assert whole.usage.output_tokens == len("二です。")
    assert (cut.output_text, cut.status) == ("二で", "incomplete")
    assert cut.output[0].status == "incomplete"  # type: ignore[union-attr]
    assert cut.incomplete_details is not None
    assert cut.incomplete_details.reason == "max_output_tokens"
    assert COVER in asked.output_text
    assert asked.kotae["sources"][0]["page"] == 14  # type: ignore[attr-defined]


def test_a_response_is_streamed_item_by_item(served: Served) -> None:
    asked = "!say <think>足し算だ。</think>二です。"
    with served.client() as client, client.responses.stream(model="kotae", input=asked) as stream:
        events = list(stream)
        final = stream.get_final_response()
    kinds = [event.type for event in events]
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] == "response.completed"
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [item.type for item in final.output] == ["reasoning", "message"]
    assert final.output_text == "二です。"
    assert final.output[0].content[0].text == "足し算だ。"  # type: ignore[union-attr,index]
    for kind in ("output_item.added", "content_part.added", "content_part.done", "output_item.done"):
        assert kinds.count(f"response.{kind}") == 2
    with served.client() as client:
        whole = client.responses.create(model="kotae", input=asked)
    assert [item.type for item in whole.output] == ["reasoning", "message"]


def test_a_call_of_a_function_comes_in_the_protocols_form(served: Served) -> None:
    with served.client() as client:
        create = client.chat.completions.create
        called = create(model="kotae", messages=say(CALLED), tools=[WEATHER]).choices[0]
        told = create(model="kotae", messages=say('{"answer": "晴れです。"}'), tools=[WEATHER]).choices[0]
        chunks = list(create(model="kotae", messages=say(CALLED), tools=[WEATHER], stream=True))
        cut = create(model="kotae", messages=say(CALLED), tools=[WEATHER], max_tokens=9).choices[0]
        deep = create(model="kotae", messages=say('{"tool": "weather", "arguments": ' + "[" * 1500), tools=[WEATHER])
        back = create(
            model="kotae",
            messages=[*say("x"), called.message.model_dump(exclude_none=True),
                      {"role": "tool", "tool_call_id": "1", "content": '!say {"answer": "晴れ"}'}],
            tools=[WEATHER],
        ).choices[0]  # fmt: skip
        refused = served.post({"model": "kotae/基準", "messages": say("x"), "tools": [WEATHER]})
    assert called.finish_reason == "tool_calls"
    assert called.message.content is None
    (call,) = called.message.tool_calls or ()
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": "東京"})  # type: ignore[union-attr]
    assert (told.message.content, told.message.tool_calls, told.finish_reason) == ("晴れです。", None, "stop")
    (piece,) = [one.choices[0].delta.tool_calls for one in chunks if one.choices[0].delta.tool_calls]
    assert piece is not None
    assert piece[0].function is not None
    assert piece[0].function.name == "weather"
    assert "".join(one.choices[0].delta.content or "" for one in chunks) == ""
    assert chunks[-1].choices[0].finish_reason == "tool_calls"
    assert (cut.finish_reason, cut.message.tool_calls) == ("length", None)
    assert (deep.choices[0].message.content or "").endswith("[[")
    assert back.message.content == "晴れ"
    assert (refused.status, refused.error["code"], refused.error["param"]) == (400, "no_format_of_documents", "tools")


def test_a_response_calls_functions_too(served: Served) -> None:
    tool: Any = {"type": "function", **WEATHER["function"]}
    with served.client() as client:
        whole = client.responses.create(model="kotae", input=say(CALLED), tools=[tool])
        with client.responses.stream(model="kotae", input=say(CALLED), tools=[tool]) as stream:
            final = [*stream] and stream.get_final_response()
        (call,) = whole.output
        assert call.type == "function_call"
        for output in ('!say {"answer": "晴れ"}', [{"type": "input_text", "text": '!say {"answer": "晴れ"}'}]):
            result: Any = {"type": "function_call_output", "call_id": call.call_id, "output": output}
            back = client.responses.create(
                model="kotae", input=[*say("x"), call.model_dump(exclude_none=True), result], tools=[tool]
            )
            assert back.output_text == "晴れ"
    assert json.loads(call.arguments) == {"city": "東京"}
    assert [item.type for item in final.output] == ["function_call"]


def test_errors_of_a_response_are_in_its_own_form() -> None:
    from openai.types.responses import ResponseErrorEvent

    form = ResponseForm(completion_request.parse_response(b'{"model": "kotae", "input": "x"}'))
    begun = list(form.begin())
    event = ResponseErrorEvent.model_validate(form.failure(completion_request.http_error(500, "bug")))
    assert (event.code, event.sequence_number) == ("bug", len(begun))
    with pytest.raises(HttpError) as refused:
        completion_request.parse_response(b'{"model": "kotae", "input": "x", "max_output_tokens": 0}')
    assert refused.value.field == "max_output_tokens"


def test_functions_keep_their_own_definitions() -> None:
    from llama_cpp.llama_grammar import json_schema_to_gbnf

    shape = {"properties": {"city": {"$ref": "#/$defs/City"}}}
    tools = [Tool(f"f{name}", "", {**shape, "$defs": {"City": {"enum": [name]}}}) for name in ("Tokyo", "Osaka")]
    grammar = json_schema_to_gbnf(tool_calls.answer_schema(tools, is_required=True))
    assert all(grammar.count(name) == 2 for name in ("Tokyo", "Osaka"))  # in the function's name, and as its city


@pytest.fixture
def embedding(data: Path, base: Path, tmp_path: Path) -> Iterator[Served]:
    with ModelStore.open(data / "kotae.sqlite", data / "backups") as store:
        store.put_local_model(local_models.describe(tiny_bert(tmp_path / "encoder.gguf")))
    with serving(data, "--model", str(base)) as served:
        yield served


def test_texts_are_embedded_as_they_are(embedding: Served, served: Served) -> None:
    import openai

    texts = ["一", "二二", "三"] * 20
    with embedding.client() as client:
        assert [model.id for model in client.models.list().data] == ["kotae", "kotae-embedding"]
        packed = client.embeddings.create(model="kotae-embedding", input=texts)  # as base64, the client's own wish
        plain = client.embeddings.create(model="kotae-embedding", input="一", encoding_format="float")
        for wrong in ({"input": []}, {"input": [[1, 2]]}, {"input": "x", "dimensions": 3}):  # type: ignore[var-annotated]
            with pytest.raises(openai.BadRequestError):
                client.embeddings.create(model="kotae-embedding", **wrong)  # type: ignore[call-overload]
    assert [one.index for one in packed.data] == list(range(60))
    assert [one.embedding for one in packed.data[:3]] == [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]
    assert plain.data[0].embedding == packed.data[0].embedding
    assert math.isclose(sum(value**2 for value in plain.data[0].embedding), 1)
    with served.client() as client, pytest.raises(openai.NotFoundError, match="model_not_found"):
        client.embeddings.create(model="kotae-embedding", input="x")  # there is no such model


@pytest.mark.model
@pytest.mark.skipif(not starter.is_available(), reason="the starter's package is not installed")
def test_the_trial_model_keeps_to_the_schema_of_a_function(data: Path, starter_model: Path) -> None:
    asked: Any = [{"role": "user", "content": "大阪の天気を調べてください。"}]
    with serving(data, "--model", str(starter_model), engine=None) as served, served.client() as client:
        create = client.chat.completions.create
        forced = create(model="kotae", messages=asked, tools=[WEATHER], tool_choice="required", temperature=0)
        free = create(model="kotae", messages=asked, tools=[WEATHER], temperature=0, max_tokens=60).choices[0]
        text = client.completions.create(model="kotae", prompt="一、二、三、", temperature=0, max_tokens=4)
    (call,) = forced.choices[0].message.tool_calls or ()
    assert json.loads(call.function.arguments)["city"] in ("東京", "大阪")  # type: ignore[union-attr]
    assert free.message.tool_calls or free.message.content
    assert "四" in text.choices[0].text


@pytest.mark.skipif(not machine.has_picture_library(), reason="this engine was built without libmtmd")
def test_pictures_of_a_question_are_seen(data: Path, tmp_path: Path) -> None:
    import openai

    model = models.tiny_llama(tmp_path / "tiny-F32.gguf", shape=models.TinyShape(context=1024))
    models.projector(tmp_path / "tiny-mmproj-f16.gguf")

    def url(shade: int, kind: str = "PNG") -> str:
        file = io.BytesIO()
        Image.linear_gradient("L").point(lambda value: value * shade // 255).convert("RGB").save(file, kind)
        return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode('ascii')}"

    def answer(client: Any, address: str) -> str:
        image = {"type": "image_url", "image_url": {"url": address}}
        messages: Any = [{"role": "user", "content": [{"type": "text", "text": "何の写真ですか"}, image]}]
        said = client.chat.completions.create(model="kotae", messages=messages, temperature=0, max_tokens=9)
        return str(said.choices[0].message.content)

    def response(client: Any, address: str) -> str:
        content = [{"type": "input_text", "text": "何の写真ですか"}, {"type": "input_image", "image_url": address}]
        asked: Any = [{"role": "user", "content": content}]
        said = client.responses.create(model="kotae", input=asked, temperature=0, max_output_tokens=9)
        return str(said.output_text)

    with serving(data, "--model", str(model), engine=None) as served, served.client() as client:
        light = answer(client, url(250))
        assert light == answer(client, url(250)) == response(client, url(250))
        assert light != answer(client, url(20))
        assert answer(client, url(250, "JPEG"))
        for broken in (url(250)[:-400], "data:image/png;base64,AAAA"):
            with pytest.raises(openai.BadRequestError) as refused:
                answer(client, broken)
            assert refused.value.code == "attached_unreadable"
        with pytest.raises(openai.BadRequestError) as refused:
            response(client, "https://example.com/a.png")
        assert (refused.value.code, refused.value.param) == ("picture_outside", "input[0].content[1].image_url")
        assert answer(client, url(250)) == light
