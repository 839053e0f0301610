"""Holds a value to a JSON schema: standard input is `{"schema": ..., "value": ...}`.

Knows the words of draft 7 that published schemas of profiles use, and refuses others.
"""

import strict

TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}
KNOWN = set("$schema $ref definitions title description type const enum anyOf properties required items".split())

whole = strict.loads(strict.text())
definitions = whole["schema"]["definitions"]


def complaint(schema, value, path):
    """What is wrong with a value, or nothing."""
    assert set(schema) <= KNOWN, f"words that are not known: {set(schema) - KNOWN}"
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/definitions/")
        return complaint(definitions[name], value, path)
    if "type" in schema and not isinstance(value, TYPES[schema["type"]]):
        return f"{path} is no {schema['type']}: {value!r}"
    if "const" in schema and value != schema["const"]:
        return f"{path} is not {schema['const']!r}: {value!r}"
    if "enum" in schema and value not in schema["enum"]:
        return f"{path} is none of {schema['enum']}: {value!r}"
    if "anyOf" in schema:
        found = [complaint(each, value, path) for each in schema["anyOf"]]
        if all(found):
            return "; ".join(found)
    for key in schema.get("required", []):
        if key not in value:
            return f"{path} lacks {key}"
    for key, inner in schema.get("properties", {}).items():
        if key in value and (found := complaint(inner, value[key], f"{path}.{key}")):
            return found
    if "items" in schema:
        for at, inner in enumerate(value):
            if found := complaint(schema["items"], inner, f"{path}[{at}]"):
                return found
    return None


found = complaint(whole["schema"], whole["value"], "value")
assert not found, found
print("holds")
