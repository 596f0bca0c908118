"""Docstrings in the three common ways say what a function and its parameters are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.tools.docstring import described

GOOGLE = """Search the logs
    of a service.

    Longer words that no model needs.

    Args:
        service: name of the
            service
        limit (int, optional): most lines: at least one
        odd line without a colon

    Returns:
        the lines: of text
    """
NUMPY = """Search the logs of a service.

    Parameters
    ----------
    service : str
        name of the
        service
    limit, most : int, optional
        most lines: at least one

    Returns
    -------
    list
        the lines
    """
SPHINX = """Search the logs of a service.

    :param service: name of the
        service
    :param int limit: most lines: at least one
    :return: the lines
    """


@pytest.mark.parametrize("text", [GOOGLE, NUMPY, SPHINX])
def test_each_way_of_writing_is_read(text):
    found = described(text)

    assert found.summary.rstrip(".") == "Search the logs of a service"
    assert found.parameters["service"] == "name of the service"
    assert found.parameters["limit"] == "most lines: at least one"
    assert found.parameters.keys() <= {"service", "limit", "most"}


def test_plain_words_are_a_description():
    assert described("Search.\n\nMore.").summary == "Search."
    assert described("One\n   line.").summary == "One line."


@pytest.mark.parametrize("text", [None, "", "   ", "\n\n"])
def test_nothing_is_nothing(text):
    assert (described(text).summary, described(text).parameters) == ("", {})


def test_a_docstring_of_arguments_alone_has_no_summary():
    found = described("Args:\n    a: the first\n")

    assert (found.summary, found.parameters) == ("", {"a": "the first"})


def test_a_heading_right_below_the_words_ends_them():
    assert described("Search.\nArgs:\n    a: the first").summary == "Search."


@given(st.text(st.sampled_from("Args:Parmet- \n:param ab()*"), max_size=120))
def test_no_text_raises(text):
    found = described(text)

    assert "\n" not in found.summary
