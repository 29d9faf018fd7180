"""STEM questions with four options, answered by a letter in a box."""

from bench.small_real.gym import Row, cells, gym_row, said

# question | right | wrong | wrong | wrong
QUESTIONS = """
Which gas do plants take in for photosynthesis? | carbon dioxide | oxygen | helium | methane
What is the chemical symbol of iron? | Fe | Ir | In | F
Which planet is closest to the Sun? | Mercury | Venus | Mars | Earth
How many chromosomes does a human body cell usually have? | 46 | 23 | 48 | 92
What is the unit of electric resistance? | ohm | volt | watt | farad
Which organ makes insulin? | pancreas | liver | kidney | spleen
What is the pH of pure water at 25 degrees Celsius? | 7 | 0 | 1 | 14
Which particle has a negative charge? | electron | proton | neutron | photon
What is the powerhouse of the cell? | mitochondrion | ribosome | nucleus | vacuole
Which law relates voltage and current? | Ohm's law | Hooke's law | Boyle's law | Snell's law
What is the SI unit of force? | newton | joule | pascal | kelvin
Which blood cells carry oxygen? | red cells | white cells | platelets | stem cells
What does DNA use in place of uracil? | thymine | adenine | guanine | cytosine
Which element has atomic number 1? | hydrogen | helium | carbon | lithium
What kind of lens corrects near-sightedness? | concave | convex | flat | bifocal
Which gas is most common in the air of Earth? | nitrogen | oxygen | argon | neon
What is the derivative of x squared? | 2x | x | x cubed | 2
How many sides does a hexagon have? | 6 | 5 | 7 | 8
What is the largest organ of the human body? | skin | heart | lung | liver
Which metal is liquid at room temperature? | mercury | lead | tin | zinc
What is the speed of light in km per second, about? | 300 000 | 30 000 | 3 000 | 3 000 000
Which scale measures the hardness of minerals? | Mohs | Richter | Beaufort | Kelvin
What force keeps planets in orbit? | gravity | friction | magnetism | tension
Which acid is in the human stomach? | hydrochloric | sulfuric | nitric | acetic
What is the boiling point of water at sea level in Celsius? | 100 | 90 | 110 | 212
Which vitamin does sunlight help the skin to make? | D | A | B12 | C
What is the study of fungi called? | mycology | botany | virology | ecology
Which number system has base 16? | hexadecimal | decimal | octal | binary
What is the sum of the angles of a triangle in degrees? | 180 | 90 | 270 | 360
Which part of a plant takes up water? | root | leaf | flower | stem
What is the formula of table salt? | NaCl | KCl | NaOH | HCl
Which wave needs a medium to travel? | sound | light | radio | X-ray
What is the main gas in the Sun? | hydrogen | oxygen | nitrogen | carbon
Which scientist described natural selection? | Darwin | Newton | Curie | Bohr
What is the median of 1 3 9? | 3 | 1 | 9 | 4
Which bone protects the brain? | skull | rib | femur | pelvis
What is the charge of a neutron? | zero | plus one | minus one | plus two
Which gas makes drinks fizzy? | carbon dioxide | hydrogen | oxygen | chlorine
What is the square root of 144? | 12 | 14 | 11 | 16
Which sense organ holds the cochlea? | ear | eye | nose | tongue
What rock forms from cooled lava? | igneous | sedimentary | metamorphic | organic
Which animal is a mammal? | whale | shark | trout | frog
What is the probability of heads with a fair coin? | one half | one third | one quarter | one
Which device measures air pressure? | barometer | thermometer | hygrometer | ammeter
What is the binary number 101 in decimal? | 5 | 3 | 6 | 101
Which tissue joins muscle to bone? | tendon | ligament | cartilage | nerve
What do bees collect from flowers? | nectar | sap | wax | resin
Which planet has the most visible rings? | Saturn | Mars | Venus | Mercury
What is the atomic number of carbon? | 6 | 12 | 14 | 8
Which quantity is a vector? | velocity | mass | time | energy
What is absolute zero in Celsius, about? | -273 | 0 | -100 | -459
Which process turns a liquid into a gas? | evaporation | melting | freezing | condensation
What is the pump of the blood? | heart | lung | brain | stomach
Which colour of visible light has the longest wave? | red | blue | green | violet
What is the prime number among these? | 13 | 9 | 15 | 21
Which layer of gas shields Earth from ultraviolet light? | ozone | helium | steam | neon
What does a catalyst do to a reaction? | speeds it up | stops it | cools it | reverses it
Which cell part holds the genes? | nucleus | membrane | ribosome | cytoplasm
What is the area of a square with side 4? | 16 | 8 | 12 | 4
Which energy does a stretched spring store? | elastic | thermal | nuclear | chemical
"""
LETTERS = "ABCD"
AGAIN = "Final Choice:\\s*([A-Za-z])\\s*"  # as NeMo Gym's template_metadata has it


def rows() -> list[Row]:
    """A row per question, the right option at each place in turn; every fifth asks in words of its own, with a pattern."""
    made = []
    for number, (question, right, *wrong) in enumerate(cells(QUESTIONS)):
        texts, place = list(wrong), (7 * number + number // 4) % 4
        texts.insert(place, right)
        letter = LETTERS[place]
        listed = "\n".join(f"{name}: {text}" for name, text in zip(LETTERS, texts, strict=True))
        fields: Row = {
            "options": [{name: text} for name, text in zip(LETTERS, texts, strict=True)],
            "expected_answer": letter,
            "grading_mode": "strict_single_letter_boxed",
            "uuid": f"small-real-{number:04d}",
        }
        told, answer = "Answer with \\boxed{letter}.", f"\\boxed{{{letter}}}"
        if number % 5 == 4:
            told, answer = "End with Final Choice: X", f"Final Choice: {letter}"
            fields["template_metadata"] = {"template_id": "small_real_choice", "output_regex": AGAIN}
        made.append(gym_row("mcqa", f"{question}\n{listed}\n{told}", said(answer), **fields))
    return made
