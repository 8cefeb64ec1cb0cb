"""What the fuzzing of the console takes for markup that is not its own."""

import pytest

from verification.markup import Link, read

PAGE = (
    '<!doctype html><html lang="en"><head><title>Alerts</title></head><body data-live="x"><p class="why"><bdi>1 &lt; 2'
    '</bdi></p><a href="/console/order?account=A&amp;orderId=%3Cb%3E">x</a><form method="post" action="/console/stop">'
    '<input type="hidden" name="once" value="\u202e"><select name="side"><option value="BUY">Buy</option></select>'
    '<button name="go" value="1">Stop</button></form>'
    "<pre><code>orderhook alerts show 0123abcd</code></pre></body></html>"
)


def test_a_page_of_the_consoles_own_has_no_fault() -> None:
    assert read(PAGE).faults == []


def test_the_links_and_forms_of_a_page_are_found() -> None:
    assert read(PAGE).links == [Link("/console/order", (("account", "A"), ("orderId", "<b>")))]
    (form,) = read(PAGE).forms
    assert (form.method, form.path) == ("POST", "/console/stop")
    assert form.fields == (("once", "\u202e"), ("side", "BUY"), ("go", "1"))


@pytest.mark.parametrize(
    ("markup", "fault"),
    [
        ("<img src=x>", "there is an element <img>"),
        ("<svg></svg>", "there is an element <svg>"),
        ("<iframe></iframe>", "there is an element <iframe>"),
        ('<p onclick="x()"></p>', "<p> has the attribute onclick"),
        ('<p style="color: red"></p>', "<p> has the attribute style"),
        ('<p data-Xn"=""></p>', '<p> has the attribute data-xn"'),
        ('<p class="a" class="b"></p>', "<p> has an attribute twice"),
        ('<a href="javascript:alert(1)">x</a>', "<a> leads to 'javascript:alert(1)'"),
        ('<a href="//evil.example">x</a>', "<a> leads to '//evil.example'"),
        ('<a href="/console//evil.example">x</a>', "<a> leads to '/console//evil.example'"),
        ('<a href="/console.evil.example">x</a>', "<a> leads to '/console.evil.example'"),
        ('<form action="https://evil.example"></form>', "<form> leads to 'https://evil.example'"),
        ('<a href="/console" title="\u202e">x</a>', "the title of <a> holds what cannot be seen: '\\u202e'"),
        ("<p>\u200b</p>", "a text holds what cannot be seen: '\\u200b'"),
        ("<p>\x07</p>", "a text holds what cannot be seen: '\\x07'"),
        ("<script>alert(1)</script>", "<script> has content"),
        ("<!-- x -->", "there is a comment: ' x '"),
        ("<p>", "<p> is not closed"),
        ("</p>", "</p> ends what is not open"),
        ("<b><i></b></i>", "</b> ends what is not open"),
        ("<pre><code>orderhook show $(x)</code></pre>", "a command line holds 'orderhook show $(x)'"),
        ("<pre><code>orderhook show 'x'</code></pre>", "a command line holds \"orderhook show 'x'\""),
    ],
)
def test_what_is_not_the_consoles_own_is_a_fault(markup: str, fault: str) -> None:
    assert fault in read(markup).faults
