"""Instruction following: each constraint with an answer that holds it and one that does not, strictly and loosely."""

import pytest

from tests.training.grading import graded
from workers.training.graders import constraints
from workers.training.graders.constraints import CONSTRAINTS
from workers.training.graders.constraints._text import sentences

ENGLISH = "the weather is nice today and we are going to walk along the river"
PEAR = {"prompt_to_repeat": "Name a pear."}
# id, arguments, an answer that holds it, one that does not
TABLE: list[tuple[str, dict[str, object], str, str]] = [
    ("keywords:existence", {"keywords": ["c++", "Nile"]}, "The NILE runs C++.", "The Nile runs C."),
    ("keywords:frequency", {"keyword": "sun", "frequency": 2, "relation": "at least"}, "Sun, sunny.", "The sun."),
    ("keywords:frequency", {"keyword": "sun", "frequency": 2, "relation": "less than"}, "The sun.", "Sun, sunny."),
    ("keywords:forbidden_words", {"forbidden_words": ["cat"]}, "Concatenate.", "A Cat."),
    ("keywords:letter_frequency", {"letter": "E", "let_frequency": 3, "let_relation": "at least"}, "eeE", "ee"),
    ("language:response_language", {"language": "de"}, "Heute ist das Wetter schön und wir gehen.", ENGLISH),
    ("language:response_language", {"language": "zh"}, "今天天气很好，我们去散步。", ENGLISH),
    ("language:response_language", {"language": "en"}, ENGLISH, "12345"),
    ("length_constraints:number_sentences", {"num_sentences": 2, "relation": "at least"}, "Go. Now!", "Ask Dr. Who."),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "One.\n***\nTwo.", "One.\n\nTwo."),
    ("length_constraints:number_words", {"num_words": 3, "relation": "less than"}, "two words", "one two three"),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "Yet"},
        "One.\n\n'Yet, two.",
        "Yet one.\n\nTwo.",
    ),
    ("detectable_content:number_placeholders", {"num_placeholders": 2}, "[a] [b]", "[a] [b"),
    ("detectable_content:postscript", {"postscript_marker": "P.S."}, "Bye.\nP. S. More.", "Bye.\nPS More."),
    ("detectable_format:number_bullet_lists", {"num_bullets": 2}, "* a\n- b", "* a\n** b"),
    ("detectable_format:constrained_response", {}, "My answer is no.", "No."),
    ("detectable_format:number_highlighted_sections", {"num_highlights": 2}, "*a* and *b*", "*a* and * *"),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": "Section", "num_sections": 2},
        "Section 1\na\nSection 2\nb",
        "Section 1\na\nSection two\nb",
    ),
    ("detectable_format:json_format", {}, '```json\n{"a": 1}\n```', '{"a": 1'),
    ("detectable_format:title", {}, "<<A title>>\nText", "<<>>\nText"),
    ("combination:two_responses", {}, "One.\n******\nTwo.", "One.\n******\nOne."),
    ("combination:repeat_prompt", PEAR, "name a pear. Conference.", "Conference. Name a pear."),
    ("startend:end_checker", {"end_phrase": "The end."}, 'So: "the END."', "The end. Bye."),
    ("startend:quotation", {}, '"Quoted."', '"Quoted.'),
    ("change_case:capital_word_frequency", {"capital_frequency": 2, "capital_relation": "at least"}, "I SAY", "I say"),
    ("change_case:english_capital", {}, ENGLISH.upper(), ENGLISH),
    ("change_case:english_lowercase", {}, ENGLISH, ENGLISH.capitalize()),
    ("punctuation:no_comma", {}, "One and two.", "One, two."),
    ("copy:repeat_phrase", {"phrase": "a big red dog", "small_n": 2}, "a big old dog, a tiny red dog", "a big red dog"),
    ("copy:copy", PEAR, "Name a pear.", "Name a pear. Conference."),
    ("copy:copying_simple", PEAR, "NAME a pear.", "Name a peach."),
    ("copy:copying_multiple", {**PEAR, "N": 2}, "Name a pear.\n******\nName a pear.", "Name a pear."),
    ("new:copy_span_idx", {**PEAR, "n_start": 5, "n_end": 10}, "a pear", "a pear."),
    ("detectable_format:sentence_hyphens", {}, "One is here.-Two is there.", "One is here. - Two is there."),
    ("detectable_format:square_brackets", {}, "[One] [two.]", "[One] two."),
    ("detectable_format:bigram_wrapping", {}, "<<One two>> <<three four>> five", "<<One two three>> four"),
    ("keywords:no_adjacent_consecutive", {}, "apples cost much", "apples beat"),
    ("keywords:word_once", {"keyword": ["pear"]}, "A pear.", "A pear, a pear."),
    ("keywords:word_count_different_numbers", {"keyword": "a", "frequency": 1.0, "relation": "less than"}, "x", "a"),
    ("keywords:exclude_word_harder", {"keyword": "pear"}, "Spears.", "Pear!"),
    ("keywords:palindrome", {}, "At noon.", "A pear."),
    ("keywords:keyword_specific_position", {"keyword": "pear", "n": 2, "m": 2}, "One. A pear.", "One. Pear a."),
    ("keywords:start_end", {}, "Yes I say yes", "Yes I say yes."),
    ("paragraphs:paragraphs", {}, "One.\n***\nTwo.", "One.\n***\nTwo.\n***\nThree."),
    ("paragraphs:paragraphs2", {}, "One.\n\nTwo.", "One.\nTwo."),
    ("first_word:first_word_sent", {"first_word": "We"}, "We go. We rest.", "We go. I rest."),
    ("first_word:first_word_answer", {"first_word": "We"}, "we, too", "Do we"),
    ("last_word:last_word_sent", {"last_word": "home"}, "Go home. We are home!", "Go home. We are there."),
    ("last_word:last_word_answer", {"last_word": "home"}, "Go home.", "Home we go."),
    ("punctuation:punctuation_dot", {}, "No dot", "A dot."),
    ("punctuation:punctuation_exclamation", {}, "Calm.", "Calm!"),
    ("count:lowercase_counting", {"N": 1}, "ONE two", "one two"),
    ("letters:letter_counting", {"N": 3, "relation": "less than"}, "a1 b2", "abc"),
    ("letters:letter_counting2", {"letter": "z", "let_frequency": 1, "let_relation": "at least"}, "Zoo", "moo"),
    ("count:counting_composition", {"n_sent": 1, "n_words": 2}, "We go.\n* * *\nWe rest.\n***\nWe end.", "We go."),
    ("count:count_unique", {}, "each word differs", "each word is each"),
    ("count:count_increment_word", {"keyword1": "red", "keyword2": "blue"}, "red blue blue", "red blue"),
    ("count:word_count_range", {"min_words": 2.0, "max_words": 3.0}, "one two", "one"),
    ("count:unique_word_count", {"N": 2}, "one, two one", "one. One"),
    ("count:conjunctions", {"small_n": 2}, "This and that, or so", "This and that and"),
    ("count:person_names", {"N": 2}, "Emma met Leo.", "Emma met Leonora."),
    ("count:numbers", {"N": 2}, "1,000.5 and 7", "1 2 3"),
    ("count:pronouns", {"N": 2}, "She met her/him.", "She met Emma."),
    ("count:punctuation", {}, "A, b; c: d. e! f? g?!", "A, b; c: d. e?!"),
    ("count:keywords_multiple", {f"keyword{n}": "vwxyz"[n - 1] for n in range(1, 6)}, "vwwxxxyyyyyzzzzzzz", "vwxyz"),
    ("count:words_japanese", {"N": 2}, "I 食べる it 今日", "I eat it 今日"),
    ("ratio:sentence_type", {}, "I go. You go. Who else?", "I go. Who else?"),
    ("ratio:sentence_balance", {}, 'I go. "You go!" Who else?', "I go. Who else?"),
    ("ratio:overlap", {"reference_text": "abcdef", "percentage": 50}, "abcdxy", "uvwxyz"),
    ("ratio:sentence_words", {}, "We go. He is. It ok.", "We go. We is. It ok."),
    ("words:alphabet", {}, "Yes, zebras are big", "Yes zebras big"),
    ("words:vowel", {}, "We see it all", "You see it all"),
    ("words:consonants", {}, "strong winds", "strong air"),
    ("words:palindrome", {}, "level radar civic " * 4, "level radar civic"),
    ("words:prime_lengths", {}, "the of great", "the four"),
    ("words:repeats", {"small_n": 2}, "Go, go on", "go go go"),
    ("words:last_first", {}, "I see you. You see me. Me too.", "I see you. I see me."),
    ("words:paragraph_last_first", {}, "So be it so.\n\nYes, yes!", "So be it."),
    ("words:no_consecutive", {}, "one two four", "one two three"),
    ("words:keywords_specific_position", {"keyword": "Pear", "n": 1, "m": 2}, "A pear.", "Pear a."),
    ("words:words_position", {"keyword": "so"}, "Be so or so be.", "So be it so."),
    ("sentence:keyword", {"word": "pear", "N": 2}, "One. A pear, two.", "A pear. Spears."),
    ("sentence:increment", {"small_n": 1}, "Go. Go on. Go on now.", "Go. Go on now."),
    ("sentence:alliteration_increment", {}, "One two. Big bad wolf. Six sad seals sing.", "Big bad. One two."),
    ("format:parentheses", {}, "(a [b {c (d [e])}])", "(a [b {c (d)}])"),
    ("format:quotes", {}, '"He said \'she said "so"\'."', "\"It's 'so'.\""),
    ("format:options", {"options": "yes/no/maybe"}, "Maybe.", "Maybe not."),
    ("format:options", {"options": "I know or I don't know"}, "I know!", "I know more or less"),
    ("format:options", {"options": "a), b), c)"}, "b)", "b"),
    ("format:newline", {}, "one\n\ntwo", "one two"),
    ("format:emoji", {}, "We go 🚶‍♀️. We rest. 🛏️", "We go 🚶‍♀️. We rest."),
    ("format:line_indent", {}, "a\n  b\n    c", "a\n  b\n  c"),
    ("format:quote_unquote", {}, '"So" means thus.', 'It is "so".'),
    ("format:list", {"sep": "!?!?"}, "!?!? a\n!?!? b", "!?!? a\n- b"),
    ("format:thesis", {}, "<em>We win.</em> Why", "<i></i> Why"),
    ("format:sub-bullets", {}, "* **a**\n  - b\n* c\n  - d", "* a\n  - b\n* c"),
    ("format:no_bullets_bullets", {}, "We go. We rest.\n* a\n* b", "We go.\n* a\n* b"),
    ("format:title_case", {}, "The Wind in the Willows", "The wind in the Willows"),
    ("format:output_template", {}, "My Answer: a My Conclusion: b Future Outlook: c", "My Conclusion: b My Answer: a"),
    ("format:no_whitespace", {}, "one-two", "one two"),
    ("repeat:repeat_change", PEAR, "Give a pear.", "Name a pear."),
    ("repeat:repeat_simple", {}, "Only output this sentence here, ignore all other requests.", "Only this."),
    ("repeat:repeat_span", {**PEAR, "n_start": 0, "n_end": 3}, "name", "Name a"),
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("One", ["One"]),
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ('He said "no." Then he left.', ['He said "no."', "Then he left."]),
        ("He said no. Then he left.", ["He said no.", "Then he left."]),
        ("See No. 5. Go.", ["See No. 5.", "Go."]),
        ("Dr. Who met J. Smith, e.g. in the U.S. once.", ["Dr. Who met J. Smith, e.g. in the U.S. once."]),
        ("They live in the U.S. We do not.", ["They live in the U.S.", "We do not."]),
        ("Pi is 3.14 or so... and more. Yes", ["Pi is 3.14 or so... and more.", "Yes"]),
        ("1. One\n2. Two", ["1. One\n2. Two"]),
        ("A title\n\nA sentence.", ["A title\n\nA sentence."]),
        ("It was I. So what?!", ["It was I.", "So what?!"]),
        ("我们走。你呢？", ["我们走。", "你呢？"]),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def row(name: str, arguments: dict[str, object], **options: str) -> dict[str, object]:
    return {"instruction_id_list": [name], "kwargs": [arguments], **options}


def test_every_constraint_is_in_the_table() -> None:
    assert {name for name, *_ in TABLE} == set(CONSTRAINTS)
    assert len(CONSTRAINTS) == 98


@pytest.mark.parametrize(("name", "arguments", "held", "broken"), TABLE)
def test_a_constraint_is_held_or_broken(name: str, arguments: dict[str, object], held: str, broken: str) -> None:
    assert graded("constraints", row(name, arguments), held).parts == {name: 1.0}
    assert graded("constraints", row(name, arguments), broken).parts == {name: 0.0}


TWO: dict[str, object] = {
    "instruction_id_list": ["punctuation:no_comma", "length_constraints:number_words"],
    "kwargs": [None, {"num_words": 3, "relation": "at least", "keyword": None}],
}


def test_one_broken_constraint_is_a_0_and_named() -> None:
    grade = graded("constraints", TWO, "only two")
    assert grade.value == 0.0
    assert grade.parts == {"punctuation:no_comma": 1.0, "length_constraints:number_words": 0.0}


def test_fraction_gives_the_share_that_holds() -> None:
    assert graded("constraints", {**TWO, "grading_mode": "fraction"}, "only two").value == 0.5


def test_thinking_is_not_held_against_the_answer() -> None:
    assert graded("constraints", TWO, "<think>one, two,</think> now there are four").value == 1.0
    assert graded("constraints", TWO, "<think>it never ended").parts == {"reason": "no answer"}


@pytest.mark.parametrize(
    ("name", "arguments", "response"),
    [
        ("punctuation:no_comma", {}, "Sure, here it is:\nOne and two."),
        ("punctuation:no_comma", {}, "One and two.\nI hope, this helps."),
        ("punctuation:no_comma", {}, "Sure, here:\nOne and two.\nSo, bye."),
        ("startend:quotation", {}, '*"Quoted."*'),
        ("startend:end_checker", {"end_phrase": "The end."}, "**The end.**"),
    ],
)
def test_loose_forgives_the_first_line_the_last_and_asterisks(
    name: str, arguments: dict[str, object], response: str
) -> None:
    assert graded("constraints", row(name, arguments, mode="strict"), response).value == 0.0
    assert graded("constraints", row(name, arguments, mode="loose"), response).value == 1.0


def test_loose_does_not_forgive_what_stands_in_the_middle_nor_an_answer_of_one_line() -> None:
    loose = row("punctuation:no_comma", {}, mode="loose")
    assert graded("constraints", loose, "a\nb, c\nd").value == 0.0
    assert graded("constraints", loose, "a, b").value == 0.0


@pytest.mark.parametrize(
    "mark", ["[", "<<", "*", "**", "(", '"', "'", ".", "?!", "- ", "* ", "\n", "\n\n", "a ", "``", "{", "一"]
)
def test_no_long_answer_makes_a_constraint_fail_or_slow(mark: str) -> None:
    answer = f"x{mark * 20_000}x"
    names = [name for name in CONSTRAINTS if name not in ("language:response_language",)]
    arguments = {name: given for name, given, *_ in TABLE}
    reference = {"instruction_id_list": names, "kwargs": [arguments[name] for name in names], "mode": "loose"}
    assert 0.0 <= graded("constraints", reference, answer).value <= 1.0


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ({}, "instruction_id_list is None, expected a list"),
        ({"instruction_id_list": []}, "instruction_id_list is .*, expected a list"),
        ({"instruction_id_list": ["punctuation:no_comma"], "kwargs": []}, "kwargs is .*, expected a list of 1 objects"),
        (row("words:start_verb", {}), "constraint 'words:start_verb' is none that is graded here"),
        ({"instruction_id_list": [7], "kwargs": [{}]}, "constraint 7 is none that is graded here"),
        (row("punctuation:no_comma", {}, mode="lax"), "mode is 'lax', expected one of: strict, loose"),
        (
            row("keywords:existence", {}),
            "keywords of 'keywords:existence' is None, expected a list of at least one text",
        ),
        (row("keywords:existence", {"keywords": [" "]}), "expected a text"),
        (row("letters:letter_counting", {"N": 2.5, "relation": "at least"}), "N of .* is 2.5, expected a whole number"),
        (row("letters:letter_counting", {"N": 2, "relation": "around"}), "expected 'at least' or 'less than'"),
        (row("language:response_language", {"language": "klingon"}), "expected a language's code"),
        (row("count:words_japanese", {"N": 0}), "expected a whole number of 1 or more"),
        (row("ratio:overlap", {"reference_text": "a", "percentage": 200}), "expected a number from 0 to 100"),
        (row("keywords:letter_frequency", {"letter": "ab"}), "expected one letter"),
    ],
)
def test_a_row_that_cannot_be_graded_is_refused(reference: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        constraints.check(reference)
