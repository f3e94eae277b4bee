"""How search hits look."""

from collections.abc import Sequence
from typing import Any

from rich.text import Text

from omni_connector.cli.output import Output, one_line, printable
from omni_connector.local import SearchHit

INDENT = 4


def show_hits(output: Output, query: str, hits: Sequence[SearchHit]) -> None:
    """Write hits for people: title, address and a snippet in which the matches are marked."""
    if not hits:
        output.text(Text(f"Nothing found for {one_line(query)}."))
        return
    for number, hit in enumerate(hits, start=1):
        if number > 1:
            output.text()
        output.text(Text.assemble(f"{number:>2}. ", (one_line(hit.title), "bold")))
        output.indented(Text(one_line(hit.url or hit.external_id), "cyan"), INDENT)
        output.indented(_snippet(hit, coloured=output.result.is_terminal), INDENT)


def hits_as_json(query: str, hits: Sequence[SearchHit]) -> dict[str, Any]:
    """Return hits for machines."""
    return {
        "query": query,
        "hits": [
            {
                "title": hit.title,
                "url": hit.url,
                "snippet": hit.snippet,
                "highlights": [list(span) for span in hit.highlights],
                "score": hit.score,
                "source_id": hit.source_id,
                "external_id": hit.external_id,
            }
            for hit in hits
        ],
    }


def _snippet(hit: SearchHit, *, coloured: bool) -> Text:
    """Return the snippet with its matches in bold, or between asterisks where there are no colours."""
    if not coloured:
        return Text(one_line(hit.marked("*", "*"), longest=1000))
    text = Text()
    done = 0
    for start, end in hit.highlights:
        text.append(printable(hit.snippet[done:start])).append(
            printable(hit.snippet[start:end]), "bold yellow"
        )
        done = end
    return text.append(printable(hit.snippet[done:]))
