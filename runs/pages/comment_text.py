"""A comment's words as HTML: plain text, escaped, with members' names after an @ as links. Line breaks are the stylesheet's."""

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from runs.notices import MENTION, mentioned_name


def comment_html(text: str, *, members: set[str], slug: str) -> SafeString:
    """Write a comment; whatever it holds is text, and only what we write is a tag."""
    pieces: list[tuple[str | SafeString]] = []
    at, page = 0, reverse("members", args=(slug,))
    for found in MENTION.finditer(text):
        name = mentioned_name(found.group(1), members)
        if name:
            end = found.start() + 1 + len(name)
            link = format_html('<a class="mention" href="{}#member-{}">@{}</a>', page, name, name)
            pieces += [(text[at : found.start()],), (link,)]
            at = end
    return format_html_join("", "{}", [*pieces, (text[at:],)])
