"""What the tests of drills share."""

from tests.cli.conftest import agentctl, demo

assert agentctl
assert demo
