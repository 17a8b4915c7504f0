"""Damaged copies of a GGUF header, from a seed: bytes flipped, and every kind of field set to what it should not be.

A field map made by walking the header aims the damage; uniformly random bytes would nearly all hit the vocabulary.
"""

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_STRING, _ARRAY, _F32 = 8, 9, 6
_MAX_TEXTS = 400  # of a list; a whole vocabulary would drown the other fields


@dataclass(frozen=True)
class Field:
    # version, count, length, text, value_type, whole, real, rank, dimension, tensor_type, offset or data
    kind: str
    where: str
    offset: int
    size: int


@dataclass(frozen=True)
class Mutation:
    """Bytes to put at offsets of the sound file, and the length to cut it to (None: not cut)."""

    label: str
    patches: tuple[tuple[int, bytes], ...]
    cut_to: int | None = None


def fields(data: bytes) -> list[Field]:
    """The map of a sound header, front to back."""
    return list(_walk(data))


def _walk(data: bytes) -> Iterator[Field]:
    yield Field("version", "version", 4, 4)
    yield Field("count", "tensor count", 8, 8)
    yield Field("count", "key count", 16, 8)
    tensors, keys = struct.unpack_from("<QQ", data, 8)
    at = 24
    for _ in range(keys):
        at = yield from _pair(data, at)
    for _ in range(tensors):
        at = yield from _tensor(data, at)


def _text(data: bytes, at: int, where: str) -> Iterator[Field]:
    length = struct.unpack_from("<Q", data, at)[0]
    yield Field("length", where, at, 8)
    yield Field("text", where, at + 8, length)


def _pair(data: bytes, at: int) -> Iterator[Field]:
    length = struct.unpack_from("<Q", data, at)[0]
    name = data[at + 8 : at + 8 + length].decode()
    yield from _text(data, at, name)
    at += 8 + length
    yield Field("value_type", name, at, 4)
    kind = struct.unpack_from("<I", data, at)[0]
    at += 4
    if kind == _ARRAY:
        at = yield from _array(data, at, name)
    elif kind == _STRING:
        yield from _text(data, at, name)
        at += 8 + struct.unpack_from("<Q", data, at)[0]
    else:
        yield Field("real" if kind == _F32 else "whole", name, at, _SIZES[kind])
        at += _SIZES[kind]
    return at


def _array(data: bytes, at: int, name: str) -> Iterator[Field]:
    kind, count = struct.unpack_from("<IQ", data, at)
    yield Field("value_type", name, at, 4)
    yield Field("count", name, at + 4, 8)
    at += 12
    if kind != _STRING:
        yield Field("data", name, at, count * _SIZES[kind])
        return at + count * _SIZES[kind]
    step = max(1, count // _MAX_TEXTS)
    for number in range(count):
        if number % step == 0:
            yield from _text(data, at, f"{name}[{number}]")
        at += 8 + struct.unpack_from("<Q", data, at)[0]
    return at


def _tensor(data: bytes, at: int) -> Iterator[Field]:
    length = struct.unpack_from("<Q", data, at)[0]
    name = data[at + 8 : at + 8 + length].decode()
    yield from _text(data, at, name)
    at += 8 + length
    yield Field("rank", name, at, 4)
    rank = struct.unpack_from("<I", data, at)[0]
    at += 4
    for number in range(rank):
        yield Field("dimension", f"{name}[{number}]", at, 8)
        at += 8
    yield Field("tensor_type", name, at, 4)
    yield Field("offset", name, at + 4, 8)
    return at + 12


# ---------------------------------------------------------------- mutations


def mutations(path: Path, *, seed: int, count: int) -> Iterator[Mutation]:
    """`count` different ways to damage the file's header."""
    size = path.stat().st_size
    with path.open("rb") as file:
        data = file.read(min(size, 16 << 20))
    found = fields(data)
    header_bytes = found[-1].offset + found[-1].size
    by_kind: dict[str, list[Field]] = {}
    for field in found:
        by_kind.setdefault(field.kind, []).append(field)
    chance = random.Random(seed)
    for _ in range(count):
        way = chance.random()
        if way < 0.15:
            yield _flipped(data, header_bytes, chance)
        elif way < 0.25:
            yield _cut(header_bytes, size, chance)
        elif way < 0.3:
            yield _copied(data, chance.sample(found, 2))
        else:
            yield _replaced(data, chance.choice(by_kind[chance.choice(sorted(by_kind))]), chance)


def _flipped(data: bytes, header_bytes: int, chance: random.Random) -> Mutation:
    patches = []
    for _ in range(chance.choice((1, 1, 1, 2, 8))):
        at = chance.randrange(header_bytes)
        patches.append((at, bytes((data[at] ^ chance.randrange(1, 256),))))
    return Mutation(f"bytes flipped at {[at for at, _ in patches]}", tuple(patches))


def _cut(header_bytes: int, size: int, chance: random.Random) -> Mutation:
    end = chance.choice((header_bytes, size))
    at = chance.randrange(end)
    return Mutation(f"cut to {at} bytes", (), at)


def _copied(data: bytes, pair: list[Field]) -> Mutation:
    """One field's bytes over another's: plausible values in wrong places, names twice."""
    source, target = pair
    size = min(source.size, target.size)
    return Mutation(
        f"{source.kind} {source.where} copied over {target.kind} {target.where}",
        ((target.offset, data[source.offset : source.offset + size]),),
    )


def _replaced(data: bytes, field: Field, chance: random.Random) -> Mutation:
    old = data[field.offset : field.offset + field.size]
    new = old
    for _ in range(20):
        new = _other(old, field, chance)
        if new != old:
            break
    return Mutation(f"{field.kind} {field.where}: {old[:8].hex()} -> {new[:8].hex()}", ((field.offset, new),))


def _other(old: bytes, field: Field, chance: random.Random) -> bytes:
    if field.kind in ("text", "data"):
        if not old:
            return old
        at = chance.randrange(len(old))
        return old[:at] + bytes((chance.randrange(256),)) + old[at + 1 :]
    if field.kind == "real":
        reals = (0.0, -1.0, float("nan"), float("inf"), -float("inf"), 3e38, 1e-40, chance.uniform(-10, 10))
        return struct.pack("<f", chance.choice(reals))
    if field.kind in ("value_type", "tensor_type"):
        return struct.pack("<I", chance.choice((*range(45), 1 << 31, 1 << 16)))
    value = int.from_bytes(old, "little")
    numbers = (0, 1, 2, 3, value - 1, value + 1, value * 2, value // 2, value ^ (1 << chance.randrange(8 * field.size)))
    numbers += (-1, 1 << 31, 1 << 62, (1 << 63) - 1, 1 << 63, chance.getrandbits(64), chance.randrange(1, 1000))
    return (chance.choice(numbers) % (1 << 8 * field.size)).to_bytes(field.size, "little")
