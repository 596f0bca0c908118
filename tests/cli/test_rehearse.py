"""`rehearse serve` and `rehearse schema`."""

import json
import re
import signal
import socket
import subprocess
import sys
import tomllib
import urllib.request

import jsonschema
import pytest
import tomli_w


@pytest.fixture
def serving(demo):
    started = []

    def serve(*flags):
        command = [sys.executable, "-m", "agentctl", "rehearse", "serve", str(demo / "rehearsal.toml"), *flags]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield serve
    for process in started:
        process.kill()
        process.communicate()


def ask(url):
    body = {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}
    headers = {"x-api-key": "any", "anthropic-version": "2023-06-01", "content-type": "application/json"}
    request = urllib.request.Request(f"{url}/v1/messages", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=10) as reply:
        return json.loads(reply.read())


@pytest.mark.parametrize(("number", "flags"), [(signal.SIGINT, ["--json"]), (signal.SIGTERM, [])])
def test_it_answers_until_it_is_told_to_stop(serving, number, flags):
    process = serving(*flags)
    line = process.stdout.readline()
    if flags:
        told = json.loads(line)
        url = told["base_url"]["anthropic"]
        assert told["base_url"]["openai"] == f"http://127.0.0.1:{told['port']}/v1"
    else:
        words = line.split()
        assert words[:2] == ["port", words[4].rpartition(":")[2]]
        url = words[4]
    assert ask(url)["content"][0]["text"] == "I'll look the order up first."
    process.send_signal(number)
    assert process.wait(10) == 0


def test_a_port_that_is_taken(agentctl, demo):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        called = agentctl("rehearse", "serve", demo / "rehearsal.toml", "--port", taken.getsockname()[1])

    assert called.code == 3
    assert "--port" in called.err


def test_a_script_that_is_wrong(agentctl, demo):
    script = demo / "rehearsal.toml"
    script.write_text('[[reply]]\ntxt = "x"\n')
    called = agentctl("rehearse", "serve", script)

    assert called.code == 3
    assert 'did you mean "text"?' in called.err


def tables(schema):
    """Each table of a schema, from the outermost in."""
    if "properties" in schema:
        yield schema
    for inner in [*schema.get("properties", {}).values(), *filter(None, [schema.get("items")])]:
        yield from tables(inner)


def test_the_schema_explains_every_key_as_an_editor_shows_it(agentctl):
    schema = agentctl("rehearse", "schema").json
    found = list(tables(schema))

    assert 7 == len(found)
    for table in found:
        assert table["additionalProperties"] is False
        for name, key in table["properties"].items():
            assert len(key["description"]) > 8, name
    delay = schema["properties"]["fault"]["items"]["properties"]["delay_s"]
    assert "Pause between two chunks of `slow`, in seconds; a number" == delay["description"]
    assert not re.search(r'"(\$ref|\$defs|title)"', json.dumps(schema))
    assert json.loads(agentctl("rehearse", "schema", "--json").out) == schema


@pytest.mark.parametrize(
    "script",
    [
        {"reply": [{"stop": "never"}]},
        {"reply": [{"calls": [{"args": {}}]}]},
        {"fault": [{"kind": "meteor"}]},
        {"fault": [{"kind": "status", "status": "529"}]},
        {"person": [{"tool": "t", "answer": "maybe"}]},
        {"version": 2},
    ],
)
def test_what_the_schema_refuses_a_rehearsal_refuses_too(agentctl, demo, script):
    schema = agentctl("rehearse", "schema").json
    path = demo / "rehearsal.toml"
    path.write_text(tomli_w.dumps(script))

    assert not jsonschema.Draft202012Validator(schema).is_valid(script)
    assert 3 == agentctl("rehearse", "serve", path).code


def test_the_schema_takes_the_demo_and_refuses_what_is_wrong(agentctl, demo):
    schema = agentctl("rehearse", "schema").json
    script = tomllib.loads((demo / "rehearsal.toml").read_text())

    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(script, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"reply": [{"txt": "x"}]}, schema)
