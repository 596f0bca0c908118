"""What stands after a sensitive name, and what only seems to."""

import pytest

from agentctl.core.guards import scrub
from agentctl.core.guards.scrub import Rules

V = "k7x9z2" + "q4m1w8"


def mask(text: str) -> str:
    return scrub.make(Rules(), ()).text(text)


@pytest.mark.parametrize(
    "text",
    [
        "password={}", "a.b.db_password = {}", "-Ddb.password={}", "//h.example.com/:_authToken={}",
        '{{"auth": "{}q"}}x',
        "define('DB_PASSWORD', '{}')", "[('x-api-key', '{}')]", "- name: DB_PASSWORD\n  value: {}",
        'name="api_key"\r\n\r\n{}\r\n', 'variable "db_password" {{\n  default = "{}"\n}}', "map[X-Api-Key:[{}]]",
        "| `API_KEY` | `{}` |", "<a:password b='c'>{}</a:password>", "<key>APIKey</key>\n<string>{}</string>",
        "token     {}\n", "setx API_KEY {}", "The password is {} now", "Use this API key: {}", "Unseal Key 1: {}",
        "%26token%3D{}", "\\npassword={}", "password: |\n  {}\n", "--token {} x", 'let api_key: &str = "{}";',
    ],
)  # fmt: skip
def test_a_value_is_found_however_it_is_tied_to_its_name(text):
    """A41, C54"""
    assert V not in mask(text.format(V + "abcd"))


@pytest.mark.parametrize(
    "text",
    [
        "self.password = password", "arn:aws:secretsmanager:eu-west-1:1:secret:prod/db", "x: ${PASSWORD:?not set}",
        "tests/test_token.py::test_refresh", 'File "token.py", line 12, in verify1234567890', "the key is broken",
        "--token TOKEN", "Authorization: Bearer <token>", "docker run -u 1000:1000 nginx", '"auth": "basic"',
        "password must have 12 letters", "token.py:12: AssertionError",
    ],
)  # fmt: skip
def test_what_only_stands_there_is_left(text):
    assert text == mask(text)


def test_a_name_of_another_length_in_lower_case_moves_nothing():
    """`İ` becomes two letters."""
    assert "İİ password=[REDACTED] ok" == mask(f"İİ password={V} ok")


def test_a_long_value_is_masked_to_its_end():
    """Only its beginning is looked at to tell whether it may be one."""
    assert "password=[REDACTED] ok" == mask(f"password={V * 900} ok")
    assert "Authorization: [REDACTED]\nok" == mask(f"Authorization: {V * 900}\nok")
