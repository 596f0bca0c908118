import json

import pytest
from hypothesis import strategies as st

words = st.text(max_size=8)
numbers = st.one_of(st.integers(-(2**70), 2**70), st.floats())
scalars = st.one_of(numbers, st.booleans(), words, st.dates(), st.times(), st.lists(st.integers(0, 600), max_size=3))


@pytest.fixture
def changed():
    """A function that draws a document with one to four keys or entries changed, dropped or renamed."""

    def change(data, document):
        document = json.loads(json.dumps(document))
        for _ in range(data.draw(st.integers(1, 4))):
            holder = document
            while keys := (sorted(holder) if isinstance(holder, dict) else list(range(len(holder)))):
                key = data.draw(st.sampled_from(keys))
                if isinstance(holder[key], dict | list) and data.draw(st.booleans()):
                    holder = holder[key]
                    continue
                value = holder.pop(key)
                action = data.draw(st.sampled_from(["change", "drop", "rename"]))
                if action == "change":
                    put(holder, key, data.draw(scalars))
                elif action == "rename" and isinstance(holder, dict):
                    holder[data.draw(words)] = value
                break
        return document

    def put(holder, key, value):
        if isinstance(holder, dict):
            holder[key] = value
        else:
            holder.insert(key, value)

    return change
