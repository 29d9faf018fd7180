"""Code: programs from standard input to standard output in NeMo Gym's form, and functions in plain rows.

What is expected is what the solution here gives, so that a table cannot say something else than its program.
"""

import contextlib
import io
import json
import sys
from typing import Any

from bench.small_real.gym import Row, gym_row, said

# what to do with the input | the program | inputs, the lines of one with slashes between them
PROGRAMS = r"""
Read n. Print twice n. | print(int(input()) * 2) | 3 / 0 / -7
Read a word. Print it reversed. | print(input()[::-1]) | tree / level / a
Read a and b on one line. Print their sum. | a, b = map(int, input().split())\nprint(a + b) | 2 3 / -1 1 / 40 2
Read a line. Print how many words it has. | print(len(input().split())) | one two / word / a b c d
Read n. Print even or odd. | print("odd" if int(input()) % 2 else "even") | 4 / 7 / 0
Read numbers on a line. Print the largest. | print(max(map(int, input().split()))) | 1 9 3 / -5 -2 / 8
Read a line. Print it in capitals. | print(input().upper()) | red sky / Ok / abc
Read n. Print the numbers from 1 to n on one line. | n = int(input())\nprint(*range(1, n + 1)) | 3 / 1 / 6
Read a word. Print how many times a occurs. | print(input().count("a")) | banana / tree / aa
Read n. Print the factorial of n. | import math\nprint(math.factorial(int(input()))) | 0 / 4 / 7
Read numbers on a line. Print them sorted. | print(*sorted(map(int, input().split()))) | 3 1 2 / 9 / 5 5 -1
Read a word. Print yes if it is a palindrome, else no. | w = input()\nprint("yes" if w == w[::-1] else "no") | noon / moon / x
Read n. Print the sum of its digits. | print(sum(map(int, input()))) | 305 / 9 / 1111
Read a line. Print its first word. | print(input().split()[0]) | hello you / one / b a
Read n. Print n squared. | n = int(input())\nprint(n * n) | 5 / -3 / 0
Read a and b. Print the larger minus the smaller. | a, b = map(int, input().split())\nprint(abs(a - b)) | 3 10 / 8 8 / -2 5
Read a line. Print the longest word. | print(max(input().split(), key=len)) | a tall tree / go / big elephant ran
Read n. Print its divisors on one line. | n = int(input())\nprint(*[d for d in range(1, n + 1) if n % d == 0]) | 6 / 7 / 12
Read a line. Print it without spaces. | print(input().replace(" ", "")) | a b c / one / x  y
Read n. Print n in binary. | print(bin(int(input()))[2:]) | 5 / 8 / 1
Read a word. Print its last letter. | print(input()[-1]) | house / a / sky
Read numbers on a line. Print their product. | import math\nprint(math.prod(map(int, input().split()))) | 2 3 4 / 7 / 5 0
Read n. Print the nth Fibonacci number, 0 first. | a, b = 0, 1\nfor _ in range(int(input())):\n    a, b = b, a + b\nprint(a) | 0 / 6 / 10
Read a line. Print each word on its own line. | print(*input().split(), sep="\n") | a b / one / x y z
Read n. Print a triangle of n lines of stars. | for i in range(int(input())):\n    print("*" * (i + 1)) | 1 / 3 / 4
Read h and m. Print the minutes since midnight. | h, m = map(int, input().split())\nprint(60 * h + m) | 0 5 / 1 30 / 23 59
Read a word. Print its vowels only. | print("".join(c for c in input() if c in "aeiou")) | orange / sky / idea
Read numbers on a line. Print how many are negative. | print(sum(int(x) < 0 for x in input().split())) | 1 -2 -3 / 4 / -1
Read n. Print prime or not. | n = int(input())\nprint("prime" if n > 1 and all(n % d for d in range(2, n)) else "not") | 7 / 9 / 1
Read a line. Print its letters in order of the alphabet. | print("".join(sorted(input()))) | cab / zoo / a
"""

# the function and what it does | its body after the colon | lists of arguments
FUNCTIONS = r"""
double(n): twice n | return 2 * n | [[3], [0], [-4]]
last(items): the last item | return items[-1] | [[[1, 2]], [["a"]], [[3, 4, 5]]]
is_even(n): whether n is even | return n % 2 == 0 | [[4], [7], [0]]
total(items): the sum | return sum(items) | [[[1, 2, 3]], [[]], [[-5, 5]]]
shout(text): in capitals with ! at the end | return text.upper() + "!" | [["hi"], ["Stop"], [""]]
unique(items): the items sorted, each once | return sorted(set(items)) | [[[2, 1, 2]], [[]], [[5, 5]]]
area(w, h): of a rectangle | return w * h | [[3, 4], [0, 9], [7, 1]]
count_word(text, word): how often it occurs | return text.split().count(word) | [["a b a", "a"], ["x", "y"], ["no no", "no"]]
middle(a, b, c): the second largest | return sorted([a, b, c])[1] | [[1, 2, 3], [9, 5, 7], [4, 4, 1]]
swap(pair): its two items in turn | return pair[::-1] | [[[1, 2]], [["a", "b"]], [[0, 0]]]
evens(items): only the even numbers | return [n for n in items if n % 2 == 0] | [[[1, 2, 4]], [[3]], [[]]]
initials(name): the first letters | return "".join(part[0] for part in name.split()) | [["Ada Love"], ["Bo"], ["C D E"]]
clamp(n, low, high): n kept between both | return max(low, min(n, high)) | [[5, 0, 3], [-1, 0, 3], [2, 0, 3]]
square_all(items): each number squared | return [n * n for n in items] | [[[1, 2]], [[]], [[-3]]]
repeat(text, n): n times | return text * n | [["ab", 2], ["x", 0], ["-", 3]]
is_sorted(items): in rising order | return items == sorted(items) | [[[1, 2]], [[2, 1]], [[]]]
mean(items): the average | return sum(items) / len(items) | [[[1, 3]], [[2]], [[1, 2, 3, 4]]]
longest(words): the longest word | return max(words, key=len) | [[["a", "bcd"]], [["hi"]], [["one", "three"]]]
title(text): each word with a capital | return text.title() | [["red sky"], ["a"], ["one two"]]
drop_first(items): without the first | return items[1:] | [[[1, 2]], [["x"]], [[]]]
power(a, b): a to the power of b | return a ** b | [[2, 5], [9, 0], [3, 2]]
flat(lists): one list of all items | return [x for part in lists for x in part] | [[[[1], [2, 3]]], [[]], [[["a"]]]]
vowels(text): how many there are | return sum(c in "aeiou" for c in text) | [["banana"], ["sky"], ["idea"]]
sign(n): -1, 0 or 1 | return (n > 0) - (n < 0) | [[8], [0], [-2]]
pairs(a, b): items side by side | return [[x, y] for x, y in zip(a, b)] | [[[1], [2]], [[], []], [[1, 2], [3, 4]]]
digits(n): the digits as a list | return [int(c) for c in str(n)] | [[305], [7], [10]]
common(a, b): the items in both, sorted | return sorted(set(a) & set(b)) | [[[1, 2], [2, 3]], [[1], [2]], [[4, 4], [4]]]
trim(text): without spaces at the ends | return text.strip() | [[" a "], ["b"], [" c d"]]
every(items, n): each nth item | return items[::n] | [[[1, 2, 3, 4], 2], [["a"], 3], [[5, 6, 7], 1]]
celsius(f): from Fahrenheit | return (f - 32) * 5 / 9 | [[32], [212], [50]]
"""


def rows() -> list[Row]:
    """Programs and functions in turn."""
    programs, functions = [_cells(table) for table in (PROGRAMS, FUNCTIONS)]
    made = [[_program(*one), _function(*other)] for one, other in zip(programs, functions, strict=True)]
    return [row for both in made for row in both]


def _cells(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split(" | ")] for line in table.strip().splitlines()]


def _program(asked: str, written: str, inputs: str) -> Row:
    source = written.replace("\\n", "\n") if '\\n"' not in written else written
    given = [f"{text.strip()}\n" for text in inputs.split(" / ")]
    outputs = [_printed(source, text) for text in given]
    return gym_row(
        "code_gen",
        f"{asked} Write a Python program.",
        said(f"```python\n{source}\n```"),
        verifier_metadata={"unit_tests": {"inputs": given, "outputs": outputs}},
        dataset="small-real",
        source="ours",
    )


def _function(head: str, body: str, inputs: str) -> Row:
    signature, about = head.split(": ", 1)
    source = f"def {signature}:\n    {body}"
    space: dict[str, Any] = {}
    exec(source, space)  # noqa: S102 - the table above, in this file
    name = signature.split("(")[0]
    given = json.loads(inputs)
    outputs = [space[name](*json.loads(json.dumps(arguments))) for arguments in given]
    return {
        "prompt": f"Write the Python function {signature}: {about}.",
        "reference": {"function": name, "inputs": given, "outputs": outputs, "visible": 1},
        "verifier": "programs",
        "response": f"```python\n{source}\n```",
    }


def _printed(source: str, text: str) -> str:
    """Run a program of the table above."""
    before, printed = sys.stdin, io.StringIO()
    sys.stdin = io.StringIO(text)
    try:
        with contextlib.redirect_stdout(printed):
            exec(source, {})  # noqa: S102 - the table above, in this file
    finally:
        sys.stdin = before
    return printed.getvalue()
