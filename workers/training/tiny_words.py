"""What is a single token of the tiny model's vocabulary for text, besides the pieces of the built-in domains.

Words that stand three times or more in the sample rows of the preset small-real, and the glue of JSON, Python, patches and
tool calls. A text of other words is read all the same, letter by letter.
"""

_WORDS = """
Add Adele An Answer Bea Begin Beloved Boris Bruno Candide Celsius Choice Clara Compute Creates Cusco Dario Deletes
Describe Draws Dune Earth Elsa Emma End Fabian Failing Final Find Finds Friday Gitta Give Greta Hello Henrik Highlight
How Hugo I In Include Ines Irena Is It Its JSON Jonas Karla Lena Leonid Let Lisbon Lunch Lyon Mail Mara Middlemarch
Milena Monday My Nairobi Name Near Never Nils No Nobody Norbert Olga Omar On Osaka Oslo Patient Pavel Persuasion Piet
Print Put Python Quentin REPLACE Read Remove Riga Rosa Ruth SEARCH Saturday Search Searches Sends Solve Stefan Sunday
Sven Talia Tamara That The They Thursday Today Tuesday Ulrich Ulysses Use Vera Viola Walter Wednesday Well What Where
Which Who Wrap Write Xenia You a ab abc about above abs additionalProperties address adult age air all amber an
analytics anchor angular animal answer ant any archive are area arguments as assigned at atlas away back baker bakery
banks bar barrel be before beginning behind beige bell belonged below between bicycle binary black blanks boats
boiling boolean both box boxed brackets bridge bullet but buyers cafe calendar call can candle cannot capital carbon
carpenter carries cart cat cell cells centipede chapel chars chart city clean clock closing code coins colder colour
com commas common company contains cost count counted country counts crab create crimson cube cup customer dairy dark
date day days def default degrees delete description desert desk did digits directory discount dish do doctor does
donkey door double down drop drum dry due duration each effort egg else email emails ends engine escape euros even
event every exactly expect fair falcon fall false far farmers fear feared feathers fern first fisher flag flat flute
follows for four frac function gap garden gardener gas gathers get gets gifts give globe go goat good goose greet gym
had hall halve hammer hands harbour hard has have heart helium her heron hid hide high hour hours how human hunts
hydrogen id if in inbox indigo input int integer into invert it item items its join joins keep kettle key keys kitchen
km lab ladder lamp larger largest last law lead leap least leaves left legs len less lets letter letters library light
lighthouse line lists litres little long longest low lower lowercase lynx mail makes management manager many map mark
market marks math may me mean middle mill miller minutes mirror most much my name nano near needs negative net night
nights noon not note number numbers object occur odd of off office old on once one only open opened opens or orchard
org organ otter out over owe owed owl owned oxygen pad pages paid paint painted painter pair paragraphs parameters
part pasta pay people percent phrase plant plot points pony positive postscript potatoes power price prime print
program project properties purple py python quarry quarter query quiet quotation rain rang range raven read recipient
relationship remove required rest return ring river roads rock room root rug sailor say scarlet scatter schema school
sea search second seconds seen send sender sentences set share she sheep shortest should shows side sign silver sleeps
slowly smallest snake snowfall so sofa sold sorry sort sorted sound speed spider split square squared station steps
stew stood str string strings strip studio subject sum sunrise swap tail tailor takes task teacher tell tent text than
that the their them then there things third this time title to today tool top total tower town trade train triangle
true turn turns turtle twice two type unique up urgent value very vet violin visits volcano vowels wait was water way
weaver weeds well what where whether which white who whole with without word words worked yellow you your zip
"""
TEXT_WORDS = tuple(_WORDS.split())
TEXT_GLUE = (
    *('": "', '", "', '": {"', '"}', '{"type": "', '"}}', '"]', '": ["', '{"name": "', '": ', ', "'),
    *(
        "<tool_call>",
        "</tool_call>",
        "\\boxed{",
        "\\boxed{}",
        "```python\n",
        "\n```",
        "    ",
        "\n    ",
        "):\n    return ",
    ),
    *("<<<<<<< SEARCH\n", "\n=======\n", "\n>>>>>>> REPLACE", ".py\n", " == ", "print(", "input()", "(items)"),
)
