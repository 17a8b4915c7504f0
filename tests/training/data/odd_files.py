"""Files of training data as people have them, and what each gives."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openpyxl

from app.base.tables.column_mapping import ColumnMapping
from app.training.data.file_import import ImportedRows

Q1, A1 = "門の鍵はどこにありますか。", "守衛室にあります。"
Q2, A2 = "受付は何時までですか。", "17 時までです。"
PAIRS = ((Q1, A1), (Q2, A2))
Content = bytes | list[list[Any]]


def as_csv(rows: Sequence[Sequence[str]], separator: str = ",") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=separator).writerows(rows)
    return text.getvalue()


def lines(*rows: object) -> bytes:
    return "\n".join(row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows).encode()


def openai(*turns: str, roles: Sequence[str] = ("user", "assistant")) -> dict[str, Any]:
    return {"messages": [{"role": roles[at % len(roles)], "content": turn} for at, turn in enumerate(turns)]}


def sharegpt(*turns: tuple[str, str]) -> dict[str, Any]:
    return {"id": "x", "conversations": [{"from": who, "value": text} for who, text in turns]}


@dataclass(frozen=True)
class Odd:
    """A file and what it gives. `bad`: (line, code) of each; `where`: the lines of the rows."""

    title: str
    name: str
    content: Content
    shape: str = "columns"
    encoding: str = "utf-8"
    pairs: Sequence[tuple[str, str]] = PAIRS
    bad: Sequence[tuple[int, str]] = ()
    where: Sequence[int] = ()
    mapping: dict[str, str] | None = None
    wanted: ColumnMapping | None = None
    check: Callable[[ImportedRows], bool] = lambda _found: True


TABLE = [["質問", "回答"], [Q1, A1], [Q2, A2]]
JA = {"question": "質問", "answer": "回答"}
ALPACA = [{"instruction": q, "input": "", "output": a} for q, a in PAIRS]

ENCODED = [
    Odd(f"CSV, {codec}, {separator!r}", "q.csv", as_csv(TABLE, separator).encode(codec), encoding=read, where=[2, 3])
    for separator in ",\t;"
    for codec, read in (
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("utf-16", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("cp932", "cp932"),
        ("euc_jp", "euc_jp"),
        ("iso2022_jp", "iso2022_jp"),
    )
] + [
    Odd(f"Alpaca, {codec}", "q.jsonl", lines(*ALPACA).decode().encode(codec), "alpaca", read, where=[1, 2])
    for codec, read in (("utf-8-sig", "utf-8-sig"), ("cp932", "cp932"), ("euc_jp", "euc_jp"), ("utf-16", "utf-16-le"))
]

TABLES = [
    Odd("a TSV", "q.tsv", as_csv(TABLE, "\t").encode(), mapping=JA),
    Odd("wide names", "q.csv", as_csv([["Ｑ", "Ａ"], *TABLE[1:]]).encode(), mapping={"question": "Ｑ", "answer": "Ａ"}),
    Odd("names with remarks", "q.csv", as_csv([["【質問】", "回答（必須）"], *TABLE[1:]]).encode()),
    Odd("turned columns", "q.csv", as_csv([["答え", "問い"], *([a, q] for q, a in PAIRS)]).encode()),
    Odd("names with more", "q.csv", as_csv([["質問者", "想定質問", "回答案"], ["x", Q1, A1], ["y", Q2, A2]]).encode()),
    Odd("a table in a text", "q.md", f"# 表\n\n| 質問 | 回答 |\n|---|:-:|\n| {Q1} | {A1} |\n| {Q2} | {A2} |\n".encode(),
        where=[5, 6], mapping=JA),
    Odd("one known name of two", "q.csv", as_csv([["質問", "模範"], *TABLE[1:]]).encode(), where=[2, 3]),
    Odd("no heading", "q.csv", as_csv(TABLE[1:]).encode(), where=[1, 2], mapping={"question": "A", "answer": "B"}),
    Odd(
        "no heading, named by letters",
        "q.csv",
        as_csv([["1", A1, Q1, "x"], ["2", A2, Q2, "y"]]).encode(),
        where=[1, 2],
        wanted=ColumnMapping(question="C", answer="b"),
    ),
    Odd(
        "a title above the heading",
        "q.csv",
        as_csv([["令和6年度 よくある質問"], [], ["No", "質問", "回答"], ["1", Q1, A1], ["2", Q2, A2]]).encode(),
        bad=[(1, "above_heading")],
        where=[4, 5],
        check=lambda found: found.blank == 1,
    ),
    Odd(
        "two columns of one name",
        "q.csv",
        as_csv([["質問", "回答", "回答"], [Q1, A1, "x"], [Q2, A2, ""]]).encode(),
        check=lambda found: found.columns == ("質問", "回答", "回答 (C)"),
    ),
    Odd(
        "a comma too many",
        "q.csv",
        as_csv([*TABLE, [Q1, "守衛室", "にあります。"]]).encode(),
        bad=[(4, "too_many_cells")],
    ),
    Odd("a remark beyond the heading", "q.xlsx", [["質問", "回答"], [Q1, A1, "済"], [Q2, A2]]),
    Odd(
        "a quote that never ends",
        "q.csv",
        (as_csv(TABLE) + f'"{Q1},{A1}\r\n{Q2},{A2}\r\n').encode(),
        bad=[(4, "open_quote")],
        where=[2, 3],
    ),
    Odd(
        "cells of several lines",
        "q.csv",
        as_csv([["質問", "回答"], ["門の\r\n鍵は", A1], [Q2, A2]]).encode(),
        pairs=[("門の\n鍵は", A1), (Q2, A2)],
        where=[2, 4],
    ),
    Odd("lines that end as on an old Macintosh", "q.csv", as_csv(TABLE).replace("\r\n", "\r").encode(), where=[2, 3]),
    Odd(
        "empty cells",
        "q.csv",
        as_csv([["質問", "回答"], [Q1, A1], ["", A2], [Q2, "　 "], [], [Q2, A2], ["", ""]]).encode(),
        bad=[(3, "empty_question"), (4, "empty_answer")],
        where=[2, 6],
        check=lambda found: found.blank == 1,
    ),
    Odd(
        "everything that has a name",
        "q.csv",
        as_csv(
            [["資料", "質問", "参考", "回答", "システム"], ["規程", Q1, "庁舎", A1, "簡潔に"], ["要領", Q2, "", A2, ""]]
        ).encode(),
        pairs=[(f"{Q1}\n\n庁舎", A1), (Q2, A2)],
        mapping=JA | {"input": "参考", "system": "システム", "group": "資料"},
        check=lambda found: [row.group for row in found.rows] == ["規程", "要領"]
        and found.rows[0].messages[0].text == "簡潔に",
    ),
    Odd(
        "a source that is the same everywhere",
        "q.csv",
        as_csv([["質問", "回答", "source"], [Q1, A1, "web"], [Q2, A2, "web"]]).encode(),
        mapping=JA,
        check=lambda found: {row.group for row in found.rows} == {""},
    ),
    Odd(
        "other columns than guessed",
        "q.csv",
        as_csv([["質問", "回答", "改訂後"], [Q1, "?", A1], [Q2, "?", A2]]).encode(),
        wanted=ColumnMapping(answer="改訂後"),
        mapping={"question": "質問", "answer": "改訂後"},
    ),
    Odd(
        "columns that are not wanted",
        "q.csv",
        as_csv([["※", "", "", ""], ["質問", "回答", "背景", "資料"], [Q1, A1, "x", "y"], [Q2, A2, "x", "z"]]).encode(),
        bad=[(1, "above_heading")],
        wanted=ColumnMapping(input="-", group="-"),
        mapping=JA,
    ),
    Odd("errors of a spreadsheet", "q.csv", as_csv([*TABLE, [Q1, "#REF!"]]).encode(), bad=[(4, "cell_error")]),
    Odd("a zero", "q.csv", as_csv([*TABLE, [Q1, "a\0b"]]).encode(), bad=[(4, "not_characters")]),
    Odd(
        "a workbook",
        "q.xlsx",
        [["質問", "回答", "日付"], [Q1, A1, 1], [], [Q2, A2, 2], [Q2, 5, 3], [None, None, 4]],
        encoding="",
        bad=[(5, "not_text"), (6, "empty_question")],
        where=[2, 4],
        check=lambda found: (found.blank, found.sheet) == (1, "Sheet"),
    ),
    Odd("a workbook without a heading", "q.xlsx", TABLE[1:], mapping={"question": "A", "answer": "B"}),
    Odd("a workbook with macros", "q.xlsm", TABLE, encoding=""),
    Odd(
        "conversations in cells",
        "q.csv",
        as_csv([["messages"], *([json.dumps(openai(*pair)["messages"])] for pair in PAIRS), ["[{"]]).encode(),
        "messages",
        bad=[(4, "no_messages")],
    ),
]  # fmt: skip

JSON = [
    Odd("Alpaca", "q.jsonl", lines(*ALPACA), "alpaca"),
    Odd("Alpaca with input", "q.json", json.dumps([{"instruction": "要約して", "input": Q1, "output": A1}]).encode(),
        "alpaca", pairs=[(f"要約して\n\n{Q1}", A1)],
        mapping={"question": "instruction", "input": "input", "answer": "output"}),
    Odd("a list", "q.json", json.dumps(ALPACA, ensure_ascii=False, indent=2).encode(), "alpaca", where=[1, 2]),
    Odd("a list below data", "q.json", json.dumps({"version": 1, "data": ALPACA}).encode(), "alpaca"),
    Odd("a single object", "q.json", json.dumps(ALPACA[0], indent=1).encode(), "alpaca", pairs=PAIRS[:1], where=[1]),
    Odd("lines called .json", "q.json", lines(*ALPACA), "alpaca", where=[1, 2]),
    Odd("a list called .jsonl", "q.jsonl", json.dumps(ALPACA, indent=1).encode(), "alpaca", where=[1, 2]),
    Odd("objects over lines", "q.jsonl", "\n".join(json.dumps(row, indent=1) for row in ALPACA).encode(), "alpaca"),
    Odd("prompt and completion", "q.ndjson", lines({"prompt": Q1, "completion": A1}, {"prompt": Q2, "completion": A2})),
    Odd("input and output alone", "q.jsonl", lines(*({"input": q, "output": a} for q, a in PAIRS)),
        mapping={"question": "input", "answer": "output"}),
    Odd("blank lines", "q.jsonl", b"\n" + lines(ALPACA[0], "", ALPACA[1]) + b"\n\n", "alpaca", where=[2, 4],
        check=lambda found: found.blank == 2),
    Odd(
        "lines that are no rows",
        "q.jsonl",
        lines(ALPACA[0], "{", "[1]", "5", '"x"', {"instruction": 5, "output": A1}, {"instruction": Q1}, {}, ALPACA[1],
              '{"instruction": "x", "output": "y", "output": "z"}', '{"instruction": "\\ud800", "output": "y"}',
              '{"instruction": "x\\u0000", "output": "y"}', '{"instruction": "x", "output": NaN}',
              {"instruction": "あ" * 100_001, "output": "y"}, "[" * 100_000,
              '{"instruction": "x", "output": "' + "い" * 4_000_001 + '"}'),
        "alpaca",
        bad=[(2, "not_json"), (3, "not_object"), (4, "not_object"), (5, "not_object"), (6, "not_text"),
             (7, "empty_answer"), (8, "empty_question"), (10, "key_twice"), (11, "not_characters"),
             (12, "not_characters"), (13, "empty_answer"), (14, "too_long"), (15, "not_json"), (16, "too_long")],
        where=[1, 9],
    ),
    Odd("a list that is cut", "q.json", json.dumps(ALPACA).encode()[:-20], "alpaca", pairs=PAIRS[:1],
        bad=[(2, "rest_damaged")]),
    Odd("a list and more", "q.json", json.dumps(ALPACA).encode() + b" [1]", "alpaca", bad=[(3, "rest_damaged")]),
    Odd("what Python prints", "q.jsonl", str(ALPACA[0]).encode(), pairs=(), bad=[(1, "not_json")]),
    Odd("nothing", "q.json", b"null", pairs=(), bad=[(1, "not_object")]),
    Odd("brackets without end", "q.json", b"[" * 100_000, pairs=(), bad=[(1, "rest_damaged")]),
    Odd("things in a list", "q.json", json.dumps([*ALPACA, 5, None, [], {"output": A1}]).encode(), "alpaca",
        bad=[(3, "not_object"), (4, "not_object"), (5, "not_object"), (6, "empty_question")]),
    Odd("digits without end", "q.jsonl", lines(*ALPACA, '{"instruction": ' + "9" * 5000 + ', "output": "x"}'),
        "alpaca", bad=[(3, "not_json")]),
    Odd("prompt and completion of messages", "q.jsonl",
        lines(*({"prompt": [{"role": "user", "content": q}], "completion": [{"role": "assistant", "content": a}]}
                for q, a in PAIRS))),
    Odd("metadata is kept out", "q.jsonl",
        lines(*({"question": q, "answer": a, "metadata": {"source": f"{a}.pdf"}} for q, a in PAIRS)),
        mapping={"question": "question", "answer": "answer"},
        check=lambda found: {row.group for row in found.rows} == {""} and "metadata.source" in found.columns),
    Odd("metadata is mapped", "q.jsonl",
        lines(*({"question": q, "answer": a, "metadata": {"source": f"{a}.pdf"}} for q, a in PAIRS)),
        wanted=ColumnMapping(group="metadata.source"),
        check=lambda found: [row.group for row in found.rows] == [f"{A1}.pdf", f"{A2}.pdf"]),
    Odd("a separator of lines in a text", "q.jsonl", lines({"question": Q1, "answer": "一\u2028二\x85三"}, ALPACA[1]),
        pairs=[(Q1, "一\u2028二\x85三")], bad=[(2, "empty_question")]),
]  # fmt: skip

CONVERSATIONS = [
    Odd("OpenAI", "q.jsonl", lines(openai(Q1, A1), openai(Q2, A2)), "messages", mapping={"messages": "messages"}),
    Odd("OpenAI with a system", "q.jsonl", lines(openai("簡潔に", Q1, A1, roles=("system", "user", "assistant"))),
        "messages", pairs=PAIRS[:1], check=lambda found: found.rows[0].messages[0].role == "system"),
    Odd("an empty system", "q.jsonl", lines(openai("", Q1, A1, roles=("system", "user", "assistant"))), "messages",
        pairs=PAIRS[:1], check=lambda found: len(found.rows[0].messages) == 2),
    Odd("several turns", "q.json", json.dumps([openai(Q1, A1, Q2, A2)]).encode(), "messages", pairs=PAIRS[1:],
        check=lambda found: len(found.rows[0].messages) == 4),
    Odd("contents in parts", "q.jsonl", lines({"messages": [
        {"role": "user", "content": [{"type": "text", "text": Q1}]}, {"role": "assistant", "content": A1}]}),
        "messages", pairs=PAIRS[:1]),
    Odd("ShareGPT", "q.json", json.dumps([sharegpt(("human", q), ("gpt", a)) for q, a in PAIRS]).encode(), "sharegpt"),
    Odd("ShareGPT with a system", "q.jsonl", lines(sharegpt(("system", "簡潔に"), ("human", Q1), ("gpt", A1)),
        sharegpt(("user", Q2), ("assistant", A2)) | {"system": "丁寧に"}), "sharegpt",
        check=lambda found: [row.messages[0].text for row in found.rows] == ["簡潔に", "丁寧に"]),
    Odd(
        "conversations that are none",
        "q.jsonl",
        lines(
            openai(Q1, A1),
            openai(Q1),
            openai(A1, Q1, roles=("assistant", "user")),
            openai(Q1, Q2, A1, roles=("user", "user", "assistant")),
            openai(Q1, "x", roles=("user", "tool")),
            {"messages": []},
            {"messages": "x"},
            {"messages": ["x", "y"]},
            {"messages": [{"content": "x"}]},
            openai(Q1, " "),
            openai("", A1),
            {"messages": [{"role": "user", "content": Q1}, {"role": "assistant", "content": 5}]},
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            {"other": 1},
            openai("簡潔に", roles=("system",)),
            '{"messages": [{"role": "user", "content": "a", "content": "b"}, {"role": "assistant", "content": "c"}]}',
            openai(Q1, "x", "簡潔に", roles=("user", "assistant", "system")),
        ),
        "messages",
        pairs=PAIRS[:1],
        bad=[(2, "no_answer_at_end"), (3, "wrong_order"), (4, "wrong_order"), (5, "unknown_role"), (6, "no_messages"),
             (7, "no_messages"), (8, "bad_message"), (9, "bad_message"), (10, "empty_answer"), (11, "empty_question"),
             (12, "not_text"), (13, "not_text"), (14, "no_messages"), (15, "no_answer_at_end"), (16, "key_twice"),
             (17, "wrong_order")],
        where=[1],
    ),
]  # fmt: skip

ODD = [*ENCODED, *TABLES, *JSON, *CONVERSATIONS]


def write(path: Path, content: Content) -> Path:
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        book = openpyxl.Workbook()
        for row in content:
            book.active.append(row)
        book.save(path)
    return path
