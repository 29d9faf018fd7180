"""Instruction following: a subject, and one or two constraints of IFEval or of its training set."""

import json
from typing import Any

from bench.small_real.gym import Row, cells, gym_row, said

# what to write about | a sentence | another
SUBJECTS = """
a lighthouse | A lighthouse warns ships at night. | Its lamp turns slowly above the rocks.
a bakery | A bakery opens before sunrise. | The smell of warm bread fills the street.
a bicycle | A bicycle turns effort into speed. | It needs air in both tyres.
a river | A river carries water to the sea. | It shapes the valley on its way.
an owl | An owl hunts in the dark. | Its feathers make hardly any sound.
a library | A library lends books to everyone. | Readers sit there in silence.
a garden | A garden needs water and light. | Patient hands keep the weeds away.
a train | A train follows its rails. | It stops at every small station.
a violin | A violin has four strings. | The bow makes them sing.
a volcano | A volcano lets hot rock escape. | Ash falls on the fields around it.
a market | A market gathers farmers and buyers. | Prices fall near closing time.
a bridge | A bridge joins two banks. | Its arches carry heavy trucks.
a desert | A desert sees little rain. | Its nights are colder than people expect.
a teacher | A teacher explains things twice. | Good questions make her smile.
a cat | A cat sleeps most of the day. | It wakes when a tin is opened.
a map | A map shows where roads lead. | Its scale tells how far they go.
a clock | A clock counts the hours. | Its hands meet at noon.
a snowfall | A snowfall makes a town quiet. | Children run out with their sledges.
a kitchen | A kitchen is the heart of a house. | Soup simmers there on the stove.
a harbour | A harbour shelters boats from storms. | Gulls wait there for fish.
"""

Made = tuple[list[str], list[dict[str, Any] | None], str, str]  # ids, arguments, instruction, answer


def rows() -> list[Row]:
    """Three rows about each subject; every other one in the newer layout, below verifier_metadata."""
    made: list[Row] = []
    for number, (subject, first, second) in enumerate(cells(SUBJECTS)):
        for part in range(3):
            kind = KINDS[(3 * number + part) % len(KINDS)]
            ids, arguments, instruction, answer = kind(subject.split(" ", 1)[1], first, second)
            asked = f"Describe {subject}. {instruction}"
            judged = {"prompt": asked, "instruction_id_list": ids, "kwargs": arguments}
            layout = {"verifier_metadata": {**judged, "grading_mode": "binary"}} if len(made) % 2 else judged
            made.append(gym_row("instruction_following", asked, said(answer), id=len(made), **layout))
    return made


def _no_comma(name: str, first: str, second: str) -> Made:
    return ["punctuation:no_comma"], [None], "Use no commas.", f"{first} {second}"


def _lowercase(name: str, first: str, second: str) -> Made:
    return ["change_case:english_lowercase"], [{}], "Use lowercase letters only.", f"{first} {second}".lower()


def _capital(name: str, first: str, second: str) -> Made:
    return ["change_case:english_capital"], [{}], "Use capital letters only.", f"{first} {second}".upper()


def _short(name: str, first: str, second: str) -> Made:
    arguments = {"num_words": 10, "relation": "less than"}
    return ["length_constraints:number_words"], [arguments], "Use less than 10 words.", first


def _long(name: str, first: str, second: str) -> Made:
    arguments = {"num_words": 9, "relation": "at least"}
    return ["length_constraints:number_words"], [arguments], "Use at least 9 words.", f"{first} {second}"


def _keywords(name: str, first: str, second: str) -> Made:
    words = [max(text.strip(".").split(), key=len).lower() for text in (first, second)]
    told = f"Include the words {words[0]} and {words[1]}."
    return ["keywords:existence"], [{"keywords": words}], told, f"{first} {second}"


def _forbidden(name: str, first: str, second: str) -> Made:
    word = max(second.strip(".").split(), key=len).lower()
    return ["keywords:forbidden_words"], [{"forbidden_words": [word]}], f"Never say {word}.", first


def _end(name: str, first: str, second: str) -> Made:
    return ["startend:end_checker"], [{"end_phrase": "That is all."}], "End with: That is all.", f"{first} That is all."


def _quoted(name: str, first: str, second: str) -> Made:
    return ["startend:quotation"], [None], "Wrap it all in double quotation marks.", f'"{first}"'


def _title(name: str, first: str, second: str) -> Made:
    return ["detectable_format:title"], [{}], "Give it a title in double angular brackets.", f"<<{name}>>\n{first}"


def _bullets(name: str, first: str, second: str) -> Made:
    told = "Answer with exactly 2 bullet points, each beginning with *."
    return ["detectable_format:number_bullet_lists"], [{"num_bullets": 2}], told, f"* {first}\n* {second}"


def _postscript(name: str, first: str, second: str) -> Made:
    arguments = {"postscript_marker": "P.S."}
    return ["detectable_content:postscript"], [arguments], "Add a postscript with P.S.", f"{first}\nP.S. {second}"


def _highlight(name: str, first: str, second: str) -> Made:
    told, answer = "Highlight a phrase *like this*.", first.replace(name, f"*{name}*", 1)
    return ["detectable_format:number_highlighted_sections"], [{"num_highlights": 1}], told, answer


def _json(name: str, first: str, second: str) -> Made:
    return ["detectable_format:json_format"], [None], "Answer in JSON.", json.dumps({name: first})


def _paragraphs(name: str, first: str, second: str) -> Made:
    told = "Write 2 paragraphs with *** between them."
    return ["length_constraints:number_paragraphs"], [{"num_paragraphs": 2}], told, f"{first}\n***\n{second}"


def _one_sentence(name: str, first: str, second: str) -> Made:
    arguments = {"num_sentences": 2, "relation": "less than"}
    ids = ["length_constraints:number_sentences", "punctuation:no_comma"]
    return ids, [arguments, {}], "Use less than 2 sentences and no commas.", first


def _first_word(name: str, first: str, second: str) -> Made:
    return ["first_word:first_word_answer"], [{"first_word": "well"}], "Begin with the word well.", f"Well: {first}"


def _last_word(name: str, first: str, second: str) -> Made:
    ids = ["last_word:last_word_answer", "punctuation:no_comma"]
    return ids, [{"last_word": name}, None], f"Use no commas and end with the word {name}.", f"{second} It is a {name}"


def _letters(name: str, first: str, second: str) -> Made:
    arguments = {"letter": "e", "let_frequency": 3, "let_relation": "at least"}
    told = "Let the letter e occur at least 3 times."
    return ["keywords:letter_frequency"], [arguments], told, f"{first} {second}"


KINDS = (
    *(_no_comma, _bullets, _capital, _short, _keywords, _end, _title, _long, _quoted, _highlight, _json, _lowercase),
    *(_postscript, _forbidden, _paragraphs, _one_sentence, _first_word, _last_word, _letters),
)
