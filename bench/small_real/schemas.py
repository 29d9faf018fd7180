"""Structured output: a sentence with some facts, and the JSON Schema that they are to be put into."""

import json
from typing import Any

from bench.small_real.gym import Row, cells, gym_row, said

# the schema's properties, with s for text, i for a whole number, b for true or false; then sentences with the values
SCHEMAS: dict[str, str] = {
    "name:s age:i": """
        Mara is 34 years old. | Mara | 34
        Old Piet turned 81 last week. | Piet | 81
        My cousin Lena, 7, likes frogs. | Lena | 7
        At 52, Omar began to paint. | Omar | 52
        The youngest player is Ines, who is 16. | Ines | 16
        Hugo says he is 29. | Hugo | 29
        Everybody calls her Bea; she is 45. | Bea | 45""",
    "item:s price:i": """
        The lamp costs 18 euros. | lamp | 18
        For 240 euros you get the sofa. | sofa | 240
        A kettle is on sale at 25. | kettle | 25
        Somebody paid 9 euros for that cup. | cup | 9
        The desk went down to 130 euros. | desk | 130
        I bought a rug; 75 euros it was. | rug | 75
        Two euros more and the clock had cost 50, so 48. | clock | 48""",
    "city:s country:s": """
        Lisbon lies in Portugal. | Lisbon | Portugal
        We flew to Japan and stayed in Osaka. | Osaka | Japan
        Kenya's capital Nairobi is growing. | Nairobi | Kenya
        They moved from Oslo, Norway. | Oslo | Norway
        In Peru she saw Cusco first. | Cusco | Peru
        The fair of Lyon, France, opens today. | Lyon | France
        Snow fell on Riga in Latvia. | Riga | Latvia""",
    "title:s pages:i read:b": """
        I finished Emma, all 474 pages. | Emma | 474 | true
        Ulysses has 730 pages; not read yet. | Ulysses | 730 | false
        Dune is done, 612 pages of it. | Dune | 612 | true
        Someday I will open Beloved with its 321 pages. | Beloved | 321 | false
        Read last night: Candide, 129 pages. | Candide | 129 | true
        Middlemarch, 880 pages, still waits for me. | Middlemarch | 880 | false
        Persuasion was read on the train, 249 pages. | Persuasion | 249 | true""",
    "room:s open:b": """
        The gym is closed today. | gym | false
        You may enter the lab, it is open. | lab | true
        Doors of the hall stand open. | hall | true
        Nobody gets into the archive; it is shut. | archive | false
        The cafe opened an hour ago and still is. | cafe | true
        They locked the studio for the night. | studio | false
        Come in, the office is open. | office | true""",
    "animal:s legs:i": """
        A spider walks on 8 legs. | spider | 8
        Watch the ant use its 6 legs. | ant | 6
        With 2 legs the heron stands in water. | heron | 2
        A crab has 10 legs, claws included. | crab | 10
        Count the legs of a goat: 4. | goat | 4
        The snake gets by with 0 legs. | snake | 0
        That centipede has 30 legs. | centipede | 30""",
    "sender:s urgent:b": """
        Mail from Vera: no hurry. | Vera | false
        Boris writes that it cannot wait. | Boris | true
        Answer Talia at once, please! | Talia | true
        A note by Sven, whenever you have time. | Sven | false
        Urgent: Greta needs the keys. | Greta | true
        Nils sends holiday greetings. | Nils | false
        Rosa has an emergency. | Rosa | true""",
    "dish:s minutes:i": """
        Rice takes 18 minutes. | rice | 18
        Let the soup simmer for 40 minutes. | soup | 40
        After 12 minutes the pasta is done. | pasta | 12
        Bake the bread 35 minutes long. | bread | 35
        An egg needs 5 minutes. | egg | 5
        The stew is on for 90 minutes. | stew | 90
        Give the potatoes 22 minutes. | potatoes | 22""",
}
KINDS = {"s": "string", "i": "integer", "b": "boolean"}


def rows() -> list[Row]:
    """A row per sentence; some schemas come as the environment's, with required and all, some leave that out."""
    made = []
    for fields, table in SCHEMAS.items():
        names = [field.split(":") for field in fields.split()]
        for number, (sentence, *given) in enumerate(cells(table)):
            schema: dict[str, Any] = {
                "type": "object",
                "title": given[0],  # so that two rows of a kind have no long run of words in common
                "properties": {name: {"type": KINDS[kind]} for name, kind in names},
            }
            if number % 2:
                schema |= {"required": [name for name, _ in names], "additionalProperties": False}
            answer = {
                name: text if kind == "s" else json.loads(text) for (name, kind), text in zip(names, given, strict=True)
            }
            asked = f"{sentence} Give it as JSON of this schema: {json.dumps(schema)}"
            made.append(
                gym_row(
                    "structured_outputs",
                    asked,
                    said(json.dumps(answer)),
                    schema_str=json.dumps(schema),
                    schema_type="json",
                    schema_fields_count=len(names),
                )
            )
    return made
