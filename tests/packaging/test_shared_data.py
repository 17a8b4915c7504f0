"""The data that a bundle has in a smaller form: the dictionary splits every text as before, ICU orders as before."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import PySide6
import pytest
import sudachidict_small
import sudachipy

from tests.dev_scripts import ROOT, load_scripts

(shared_data,) = load_scripts("shared_data")

DICTIONARY = Path(sudachidict_small.__file__).parent / "resources" / "system.dic"
RESOURCES = Path(sudachipy.__file__).parent / "resources"
QT = Path(PySide6.__file__).parent / "Qt" / "lib"
UNKNOWN = "ゔぁるとぷりんこ、Xyzzyqux-99と龘靐齉爩、ёжик、ωμέγα。コレハゾルベ３,１４１㎡—…🙂"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the smaller dictionary and what SudachiPy says of unknown words."""
    folder = tmp_path_factory.mktemp("dictionary")
    for file in (DICTIONARY, *RESOURCES.iterdir()):
        shutil.copy(file, folder)
    shared_data.shrink_dictionary(folder / DICTIONARY.name, folder)
    return folder


def split(dictionary: Path, resources: Path, text: str) -> list[tuple[object, ...]]:
    config = (resources / "sudachi.json").read_text("utf-8")
    tokenizer = sudachipy.Dictionary(config=config, resource_dir=str(resources), dict=str(dictionary)).tokenizer("A")
    return [
        (word.surface(), word.normalized_form(), word.dictionary_form(), word.part_of_speech(), word.reading_form(),
         tuple(word.synonym_group_ids()), word.is_oov())
        for line in text.splitlines() for word in tokenizer.tokenize(line)
    ]  # fmt: skip


def test_every_text_is_split_as_before_by_less_than_three_quarters_of_the_dictionary(small):
    texts = [*(ROOT / "resources/manual").glob("*.md"), ROOT / "resources/wording/errors.toml", ROOT / "CHANGELOG.md"]
    text = "\n".join(path.read_text("utf-8") for path in texts) + UNKNOWN
    before = split(DICTIONARY, RESOURCES, text)
    assert split(small / DICTIONARY.name, small, text) == before
    assert len(before) > 20_000
    assert any(word[-1] for word in before)
    assert (small / DICTIONARY.name).stat().st_size < DICTIONARY.stat().st_size * 0.75


def kinds(dictionary: Path, resources: Path) -> tuple["np.ndarray", "np.ndarray", "np.ndarray"]:
    """The costs, and the kinds to the left and right of each word, then of what may be an unknown one."""
    data = dictionary.read_bytes()
    blocks = shared_data._blocks(data)[1]
    start, size = blocks["ConnMatrix"]
    numbers = np.frombuffer(data, "<i2", len(data) // 2)
    columns, rows = numbers[start // 2 : start // 2 + 2]
    costs = numbers[start // 2 + 2 : (start + size) // 2].reshape(rows, columns)
    words = shared_data._words(data, *blocks["Entries"]) // 2
    unknown = [line.split(",") for line in (resources / "unk.def").read_text("utf-8").splitlines() if line[0] != "#"]
    plugins = json.loads((resources / "sudachi.json").read_text("utf-8"))["oovProviderPlugin"]
    others = [(one["leftId"], one["rightId"]) for one in plugins if "leftId" in one]
    others += [(int(line[1]), int(line[2])) for line in unknown]
    lefts, rights = (np.append(numbers[words + side], np.int16([pair[side] for pair in others])) for side in (0, 1))
    return costs, lefts, rights


def test_every_kind_follows_every_other_at_the_same_cost(small):
    (costs, *before), (fewer, *after) = kinds(DICTIONARY, RESOURCES), kinds(small / DICTIONARY.name, small)
    old, new = [], []
    for one, other in zip(before, after, strict=True):
        pairs = np.unique(np.stack([one, other], axis=1).view(np.int32)).view(np.int16).reshape(-1, 2).T
        assert len(np.unique(pairs[0])) == pairs.shape[1]  # a kind has one new number
        assert list(pairs[1][pairs[0] == -1]) == [-1]
        old.append(np.append(0, pairs[0][pairs[0] >= 0]))  # 0: the edge of a text
        new.append(np.append(0, pairs[1][pairs[0] >= 0]))
    assert np.array_equal(costs[np.ix_(*old)], fewer[np.ix_(*new)])


def test_a_block_without_a_whole_word_is_refused():
    with pytest.raises(ValueError):
        shared_data._words(bytes(56), 0, 56)


@pytest.mark.parametrize("damage", ["version", "words"])
def test_a_dictionary_of_another_layout_is_refused_and_stays(tmp_path, damage):
    for file in (RESOURCES / "unk.def", RESOURCES / "sudachi.json"):
        shutil.copy(file, tmp_path)
    path = tmp_path / DICTIONARY.name
    data = bytearray(DICTIONARY.read_bytes())
    data[16 if damage == "version" else shared_data._blocks(data)[1]["Entries"][0] + 32 + 26] = 77
    if damage == "version":
        del data[4096:]  # it is looked at before all else
    path.write_bytes(data)
    with pytest.raises(ValueError, match="known version" if damage == "version" else "unknown layout"):
        shared_data.shrink_dictionary(path, tmp_path)
    assert path.read_bytes() == data


SORTED = """
import ctypes, sys
from pathlib import Path
data, code, i18n = (ctypes.CDLL(str(Path(sys.argv[1], next(Path(sys.argv[1]).glob(f"libicu{name}.so.*")).name)),
                                ctypes.RTLD_GLOBAL) for name in ("data", "uc", "i18n"))
version = next(Path(sys.argv[1]).glob("libicudata.so.*")).name.rpartition(".")[2]
open_, key = getattr(i18n, f"ucol_open_{version}"), getattr(i18n, f"ucol_getSortKey_{version}")
open_.restype = ctypes.c_void_p
for language in (b"ja_JP", b"en_US", b"de_DE", b"C"):
    status, made = ctypes.c_int(0), ctypes.create_string_buffer(400)
    collator = ctypes.c_void_p(open_(language, ctypes.byref(status)))
    assert status.value <= 0, status
    for word in "日本 にほん ニホン ﾆﾎﾝ 亜 唖 瓦 ä a B b 10 9 ー はーと ハアト é 株式会社 ㈱ ゔ".split():
        text = (word + chr(0)).encode("utf-16-le")
        size = key(collator, text, -1, made, 400)
        print(language, word, made.raw[:size].hex())
"""


@pytest.mark.skipif(not list(QT.glob("libicudata.so.*")), reason="this Qt has no ICU")
def test_strings_are_ordered_as_before(tmp_path):
    told = []
    for folder in (QT, tmp_path):
        if folder != QT:
            for library in QT.glob("libicu*.so.*"):
                shutil.copy(library, folder)
            (data,) = folder.glob("libicudata.so.*")
            whole = data.stat().st_size
            shared_data.shrink_icu(data)
            assert data.stat().st_size < whole / 4
        run = [sys.executable, "-P", "-c", SORTED, str(folder)]
        told.append(subprocess.run(run, capture_output=True, text=True, check=True).stdout)
    of_two_languages = [[line for line in text.splitlines() if line.startswith(("b'ja", "b'en"))] for text in told]
    assert of_two_languages[0] == of_two_languages[1]
    assert len(told[0].splitlines()) == len(told[1].splitlines()) > 60  # another language is ordered too
