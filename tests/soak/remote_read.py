"""Prometheus' remote read, as far as one question for a series needs it: protobuf by hand, and snappy."""


def varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def message(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def question(labels: dict[str, str], since_ms: int, until_ms: int) -> bytes:
    matchers = b"".join(message(3, message(2, name.encode()) + message(3, value.encode())) for name, value in labels.items())
    body = message(1, varint(1 << 3) + varint(since_ms) + varint(2 << 3) + varint(until_ms) + matchers)
    return varint(len(body)) + bytes([61 << 2]) + (len(body) - 1).to_bytes(2, "little") + body


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        number, at, shift = number | (byte & 127) << shift, at + 1, shift + 7
        if byte < 128:
            return number, at


def unpacked(data: bytes) -> bytes:
    """What snappy packed."""
    length, at = read_varint(data, 0)
    out = bytearray()
    while at < len(data):
        tag, at = data[at], at + 1
        kind, size = tag & 3, tag >> 2
        if kind == 0:
            if size >= 60:
                more = size - 59
                size, at = int.from_bytes(data[at : at + more], "little"), at + more
            out += data[at : at + size + 1]
            at += size + 1
            continue
        if kind == 1:
            size, back, at = (size & 7) + 4, (tag >> 5) << 8 | data[at], at + 1
        else:
            width = 2 if kind == 2 else 4
            size, back, at = size + 1, int.from_bytes(data[at : at + width], "little"), at + width
        for _ in range(size):
            out.append(out[-back])
    assert len(out) == length, f"snappy promised {length} bytes and held {len(out)}"
    return bytes(out)


def fields(data: bytes):
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        if key & 7 == 0:
            value, at = read_varint(data, at)
        elif key & 7 == 1:
            value, at = data[at : at + 8], at + 8
        else:
            size, at = read_varint(data, at)
            value, at = data[at : at + size], at + size
        yield key >> 3, value


def samples(data: bytes) -> list[tuple[int, bytes]]:
    """Time in milliseconds and eight bytes of value of all samples of all series."""
    found = []
    for _, result in fields(unpacked(data)):
        for _, series in fields(result):
            for number, part in fields(series):
                if number == 2:
                    sample = dict(fields(part))
                    found.append((sample[2], sample.get(1, bytes(8))))
    return found
