"""The hosts of `[sandbox] network`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.core.outside import PORTS, covering, read

names = st.from_regex(r"\A[a-z0-9]{1,8}(\.[a-z0-9]{1,8}){1,3}\Z").filter(lambda name: not name[-1].isdigit())


@pytest.mark.parametrize(
    ("entry", "name", "port", "there"),
    [
        ("mirror.org", "mirror.org", 443, True),
        ("mirror.org", "Mirror.org.", 80, True),
        ("mirror.org", "mirror.org", 8443, False),
        ("mirror.org", "files.mirror.org", 443, False),
        ("mirror.org", "notmirror.org", 443, False),
        ("mirror.org", "mirror.org.evil.org", 443, False),
        ("*.mirror.org", "files.mirror.org", 443, True),
        ("*.mirror.org", "a.b.mirror.org", 443, True),
        ("*.mirror.org", "mirror.org", 443, False),
        ("*.mirror.org", ".mirror.org", 443, False),
        ("*.mirror.org", "evilmirror.org", 443, False),
        ("mirror.org:8443", "mirror.org", 8443, True),
        ("mirror.org:8443", "mirror.org", 443, False),
        ("10.0.0.5:3128", "10.0.0.5", 3128, True),
        ("mirror", "mirror", 80, True),
    ],
)
def test_an_entry_covers_its_host_and_its_ports_and_nothing_else(entry, name, port, there):
    assert there == (covering([read(entry)], name, port) is not None)


@pytest.mark.parametrize(
    "text",
    ["", "*", "*.org", "a*.org", "https://mirror.org", "mirror.org/x", "u@mirror.org", "mirror.org:", "mirror.org:0",
     "a b.org", "mirror.org:65536", "..", "a..b", "-a.org", "localhost", "x.localhost", "127.0.0.1", "127.1:80",
     "169.254.169.254", "0.0.0.0", "[::1]", "mirror.org\n", "пример.рф"],
)  # fmt: skip
def test_what_is_no_host_and_what_is_this_machine_is_refused(text):
    with pytest.raises(ValueError, match="expected"):
        read(text)


@given(names, names, st.sampled_from(PORTS))
def test_no_other_host_is_ever_covered(name, other, port):
    assert (name == other) == (covering([read(name)], other, port) is not None)
    assert other.endswith(f".{name}") == (covering([read(f"*.{name}")], other, port) is not None)
