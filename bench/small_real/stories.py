"""Long context: a report of 24 sentences from a fictional place, and a question that one of them answers."""

import random

from bench.small_real.gym import Row, gym_row, said

PEOPLE = (
    *("Adele", "Bruno", "Clara", "Dario", "Elsa", "Fabian", "Gitta", "Henrik", "Irena", "Jonas", "Karla", "Leonid"),
    *(
        "Milena",
        "Norbert",
        "Olga",
        "Pavel",
        "Quentin",
        "Ruth",
        "Stefan",
        "Tamara",
        "Ulrich",
        "Viola",
        "Walter",
        "Xenia",
    ),
)
PLACES = ("mill", "harbour", "chapel", "quarry", "school", "market", "bridge", "station", "orchard", "tower", "dairy")
THINGS = ("anchor", "barrel", "candle", "drum", "engine", "flute", "globe", "hammer", "kettle", "ladder", "mirror")
COLOURS = ("amber", "black", "crimson", "green", "indigo", "purple", "silver", "white", "yellow", "scarlet", "beige")
TRADES = ("baker", "carpenter", "doctor", "fisher", "gardener", "miller", "painter", "sailor", "tailor", "weaver")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
ANIMALS = ("donkey", "falcon", "goose", "heron", "lynx", "otter", "pony", "raven", "sheep", "turtle")

# a sentence, and the question that it answers with its last field; {p} a person, {n} a number, and so on
SENTENCES = (
    ("{p} worked as a {trade}.", "What was the trade of {p}?", "trade"),
    ("{p} hid a {thing} behind the {place}.", "What did {p} hide?", "thing"),
    ("On {day} {p} left for the {place}.", "Where did {p} go?", "place"),
    ("The {animal} belonged to {p}.", "Who owned the {animal}?", "p"),
    ("{p} counted {n} boats.", "How many boats did {p} count?", "n"),
    ("{p} painted the door {colour}.", "In which colour did {p} paint the door?", "colour"),
    ("It was {p} who rang the bell on {day}.", "On which day did {p} ring the bell?", "day"),
    ("A {thing} was sold to {p} for {n} coins.", "What did {p} pay?", "n"),
    ("{p} feared the {animal}.", "Which animal did {p} fear?", "animal"),
    ("Near the {place} stood a {colour} tent of {p}.", "Where stood the tent of {p}?", "place"),
    ("{p} owed {n} coins to the {trade}.", "How much did {p} owe?", "n"),
    ("Nobody but {p} had seen the {colour} {thing}.", "What had only {p} seen?", "thing"),
)
N_ROWS = 56


def rows() -> list[Row]:
    """Rows by number, each with a report of its own, so that no two share more than a few words in a row."""
    return [_row(number, random.Random(f"small-real story {number}")) for number in range(N_ROWS)]


def _row(number: int, rng: random.Random) -> Row:
    kinds = [*range(len(SENTENCES)), *range(len(SENTENCES))]
    people, animals = rng.sample(PEOPLE, len(kinds)), rng.sample(ANIMALS, 2)
    facts = [_fields(rng, person, animals[at // len(SENTENCES)]) for at, person in enumerate(people)]
    order = rng.sample(range(len(kinds)), len(kinds))
    told = " ".join(SENTENCES[kinds[at]][0].format(**facts[at]) for at in order)
    asked_about = number % len(kinds)
    _, question, key = SENTENCES[kinds[asked_about]]
    asked, answer = question.format(**facts[asked_about]), facts[asked_about][key]
    agent = "lc_judge" if number % 2 else "equivalence_llm_judge"
    return gym_row(agent, f"{told}\n\n{asked}", said(answer), question=asked, expected_answer=answer)


def _fields(rng: random.Random, person: str, animal: str) -> dict[str, str]:
    """Draw what a sentence may name; animals are given, so that one is owned, and feared, by one person only."""
    lists = {"place": PLACES, "thing": THINGS, "colour": COLOURS, "trade": TRADES, "day": DAYS}
    drawn = {name: rng.choice(words) for name, words in lists.items()}
    return {"p": person, "n": str(rng.randint(11, 99)), "animal": animal, **drawn}
