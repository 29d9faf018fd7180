"""Software engineering: a small module with a wrong line, tests that tell, and the search and replace that mends it."""

from bench.small_real.gym import Row, cells

# function | what it should do | the wrong line | the right one | a test that fails | one that passes
FAULTS = """
add(a, b) | add both | return a - b | return a + b | add(1, 2) == 3 | add(4, 0) == 4
larger(a, b) | give the larger | return min(a, b) | return max(a, b) | larger(1, 5) == 5 | larger(2, 2) == 2
first(items) | give the first item | return items[1] | return items[0] | first([7, 8]) == 7 | first([5, 5]) == 5
is_odd(n) | tell odd numbers | return n % 2 == 0 | return n % 2 == 1 | is_odd(3) | callable(is_odd)
greet(name) | greet by name | return "Hello, name" | return "Hello, " + name | greet("Bo") == "Hello, Bo" | greet("x").startswith("Hello")
halve(n) | give half | return n * 2 | return n / 2 | halve(8) == 4 | halve(0) == 0
count(text, letter) | count a letter | return text.index(letter) | return text.count(letter) | count("abba", "b") == 2 | count("ab", "b") == 1
tail(items) | drop the first item | return items[:-1] | return items[1:] | tail([1, 2, 3]) == [2, 3] | tail([]) == []
price(net) | add 20 percent | return net * 0.2 | return net * 1.2 | round(price(10), 6) == 12 | price(0) == 0
low(text) | make small letters | return text.upper() | return text.lower() | low("AbC") == "abc" | low("12") == "12"
steps(n) | list 1 to n | return list(range(n)) | return list(range(1, n + 1)) | steps(3) == [1, 2, 3] | steps(0) == []
join(words) | join with blanks | return "".join(words) | return " ".join(words) | join(["a", "b"]) == "a b" | join(["a"]) == "a"
mean(items) | give the average | return sum(items) | return sum(items) / len(items) | mean([2, 4]) == 3 | mean([5]) == 5
has(items, x) | tell whether x is in it | return x not in items | return x in items | has([1], 1) | callable(has)
area(r) | square the side | return r + r | return r * r | area(3) == 9 | area(2) == 4
back(text) | turn it round | return text[1:] | return text[::-1] | back("abc") == "cba" | back("") == ""
minutes(h) | hours to minutes | return h * 100 | return h * 60 | minutes(2) == 120 | minutes(0) == 0
shortest(words) | give the shortest | return max(words, key=len) | return min(words, key=len) | shortest(["abc", "d"]) == "d" | shortest(["x"]) == "x"
total(cart) | sum up the prices | return len(cart) | return sum(cart) | total([3, 4]) == 7 | total([1]) == 1
ends(text, mark) | tell how it ends | return text.startswith(mark) | return text.endswith(mark) | ends("go!", "!") | ends("!", "!")
square(n) | square a number | return n ** 3 | return n ** 2 | square(3) == 9 | square(1) == 1
positive(items) | keep what is above 0 | return [x for x in items if x < 0] | return [x for x in items if x > 0] | positive([1, -1]) == [1] | positive([]) == []
last(items) | give the last item | return items[0] | return items[-1] | last([1, 2]) == 2 | last([3]) == 3
zip_code(n) | pad to five digits | return str(n) | return str(n).zfill(5) | zip_code(42) == "00042" | zip_code(12345) == "12345"
adult(age) | tell 18 and over | return age > 18 | return age >= 18 | adult(18) | adult(30)
discount(p) | take 10 off, not below 0 | return p - 10 | return max(0, p - 10) | discount(4) == 0 | discount(30) == 20
unique(items) | count different items | return len(items) | return len(set(items)) | unique([1, 1]) == 1 | unique([1, 2]) == 2
sort_down(items) | largest first | return sorted(items) | return sorted(items, reverse=True) | sort_down([1, 3]) == [3, 1] | sort_down([2]) == [2]
clean(text) | strip blanks at both ends | return text.lstrip() | return text.strip() | clean(" a ") == "a" | clean(" b") == "b"
keys(d) | list the keys | return list(d.values()) | return list(d) | keys({"a": 1}) == ["a"] | keys({}) == []
leap(y) | every fourth year | return y % 4 != 0 | return y % 4 == 0 | leap(2024) | callable(leap)
middle(items) | give the middle item | return items[len(items) // 2 - 1] | return items[len(items) // 2] | middle([1, 2, 3]) == 2 | middle([4, 4]) == 4
cube(n) | third power | return n * 3 | return n ** 3 | cube(2) == 8 | cube(0) == 0
swap(a, b) | give b, then a | return a, b | return b, a | swap(1, 2) == (2, 1) | swap(3, 3) == (3, 3)
words(text) | list the words | return list(text) | return text.split() | words("a bc") == ["a", "bc"] | words("") == []
rest(a, b) | give the remainder | return a // b | return a % b | rest(7, 4) == 3 | rest(0, 3) == 0
default(d, key) | give 0 where it is missing | return d[key] | return d.get(key, 0) | default({}, "a") == 0 | default({"a": 2}, "a") == 2
both(a, b) | tell whether both hold | return a or b | return a and b | not both(True, False) | both(True, True)
negative(n) | turn the sign | return abs(n) | return -n | negative(3) == -3 | negative(0) == 0
second(text) | give the second word | return text.split()[0] | return text.split()[1] | second("a b") == "b" | second("x x") == "x"
chars(text) | count characters but blanks | return len(text) | return len(text.replace(" ", "")) | chars("a b") == 2 | chars("ab") == 2
near(a, b) | tell a gap below 2 | return a - b < 2 | return abs(a - b) < 2 | not near(1, 9) | near(4, 3)
top(d) | key of the largest value | return max(d) | return max(d, key=d.get) | top({"a": 9, "b": 1}) == "a" | top({"z": 1}) == "z"
between(x, a, b) | ends included | return a < x < b | return a <= x <= b | between(1, 1, 3) | between(2, 1, 3)
as_int(text) | read a number | return text | return int(text) | as_int("12") == 12 | callable(as_int)
invert(flag) | tell the opposite | return flag | return not flag | invert(False) | callable(invert)
pad(text) | make it 5 wide on the left | return text.ljust(5) | return text.rjust(5) | pad("ab") == "   ab" | pad("abcde") == "abcde"
remove(items, x) | all items but x | return [i for i in items if i == x] | return [i for i in items if i != x] | remove([1, 2], 1) == [2] | remove([], 1) == []
smallest(a, b, c) | of three | return min(a, b) | return min(a, b, c) | smallest(3, 2, 1) == 1 | smallest(1, 2, 3) == 1
percent(part, whole) | a share of 100 | return part / whole | return 100 * part / whole | percent(1, 4) == 25 | percent(0, 9) == 0
title(text) | capital at the start | return text.lower() | return text.capitalize() | title("ab") == "Ab" | title("") == ""
power(a, n) | a times itself n times | return a * n | return a ** n | power(2, 3) == 8 | power(2, 2) == 4
every(items) | tell whether all hold | return any(items) | return all(items) | not every([1, 0]) | every([1])
quarter(n) | whole part of a fourth | return n / 4 | return n // 4 | quarter(9) == 2 | quarter(8) == 2
contains(text, part) | in any case | return part in text | return part.lower() in text.lower() | contains("ABC", "b") | contains("abc", "b")
gap(a, b) | how far apart | return a + b | return abs(a - b) | gap(2, 5) == 3 | gap(0, 1) == 1
"""


def rows() -> list[Row]:
    """A row per fault: the repository is a module and its tests."""
    return [_row(*fault) for fault in cells(FAULTS)]


def _row(signature: str, about: str, wrong: str, right: str, failing: str, passing: str) -> Row:
    name = signature.split("(")[0]
    path, source = f"{name}.py", f"def {signature}:\n    {wrong}\n"
    tests = f"from {name} import {name}\n\n\ndef test_new():\n    assert {failing}\n\n\ndef test_old():\n    assert {passing}\n"
    return {
        "prompt": f"{name}() should {about}.\n{path}\n{source}Failing: {failing}",
        "reference": {
            "files": {path: source},
            "tests": {f"test_{name}.py": tests},
            "fail_to_pass": [f"test_{name}.py::test_new"],
            "pass_to_pass": [f"test_{name}.py::test_old"],
        },
        "verifier": "patches",
        "response": f"{path}\n<<<<<<< SEARCH\n    {wrong}\n=======\n    {right}\n>>>>>>> REPLACE",
    }
