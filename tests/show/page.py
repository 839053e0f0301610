"""Reads the page of `gotrace report` from standard input, by its description alone (docs/report.md), and writes
its tables as JSON: {"table": [{"column": value}]}. Refuses a page that could load anything."""

import base64, gzip, hashlib, html.parser, json, re, struct, sys

KINDS = {0: ("B", 1), 1: ("I", 4), 2: ("d", 8), 3: ("I", 4)}


class Page(html.parser.HTMLParser):
    """The elements of the page, and the text of those that hold some."""

    def __init__(self):
        super().__init__()
        self.elements, self.texts, self.open = [], [], None

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self.open = (tag, dict(attributes))

    def handle_endtag(self, tag):
        self.open = None

    def handle_data(self, text):
        if text.strip():
            self.texts.append((self.open, text))


def columns(data):
    assert data[:8] == b"gotrace\x01", data[:8]
    at = 8
    while at < len(data):
        kind, zero, length, count = struct.unpack_from("<BBHI", data, at)
        assert zero == 0
        name = data[at + 8 : at + 8 + length].decode()
        at = (at + 8 + length + 7) // 8 * 8
        letter, size = KINDS[kind]
        values = struct.unpack_from(f"<{count}{letter}", data, at)
        yield name, kind, values
        at = (at + count * size + 7) // 8 * 8
    assert at == len(data)


def tables(data):
    found = {name: (kind, values) for name, kind, values in columns(data)}
    text = bytes(found.pop("strings.text")[1])
    ends = found.pop("strings.ends")[1]
    name_of = lambda number: text[ends[number - 1] : ends[number]].decode() if number else ""
    tables = {}
    for name, (kind, values) in found.items():
        table, column = name.split(".")
        tables.setdefault(table, {})[column] = [
            name_of(value) if kind == 3 else None if value != value else value for value in values
        ]
    rows = {}
    for table, of in tables.items():
        assert len({len(values) for values in of.values()}) == 1, table
        rows[table] = [dict(zip(of, row)) for row in zip(*of.values())]
    return rows


def check(page, text):
    """Nothing is loaded, and only what is named by its hash runs."""
    for tag, attributes in page.elements:
        loads = {"src", "href", "srcset", "data", "action", "style"} & attributes.keys()
        assert not loads, (tag, loads)
        assert not any(name.startswith("on") for name in attributes), tag
    policies = [a["content"] for t, a in page.elements if a.get("http-equiv") == "Content-Security-Policy"]
    (policy,) = policies
    assert policy.startswith("default-src 'none';"), policy
    assert "unsafe" not in policy, policy
    for element, kind in [("script", "script-src"), ("style", "style-src")]:
        (inline,) = [text for of, text in page.texts if of and of[0] == element and "type" not in of[1]]
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy, kind
    assert not re.search(r"https?://", text), "an address"


text = sys.stdin.buffer.read().decode()
page = Page()
page.feed(text)
check(page, text)
(data,) = [text for of, text in page.texts if of and of[1].get("type") == "application/octet-stream"]
json.dump(tables(gzip.decompress(base64.b64decode(data, validate=True))), sys.stdout)
