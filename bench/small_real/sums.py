"""Mathematics: short problems, each with its working and the answer in a box."""

from bench.small_real.gym import Row, cells, gym_row, said

# problem | working | answer
PROBLEMS = r"""
A train goes 80 km in an hour. How far does it go in 3 hours? | 80*3=240 | 240
Solve x + 17 = 42. | x=42-17 | 25
What is 15 percent of 60? | 60*15/100=9 | 9
Eggs cost 3 euros a box. What do 7 boxes cost? | 7*3=21 | 21
What is 1/2 + 1/3? | 3/6+2/6 | \frac{5}{6}
Find the area of a 9 by 4 rectangle. | 9*4=36 | 36
Solve 3x = 51. | x=51/3 | 17
A farmer has 48 apples and gives away 19. How many are left? | 48-19=29 | 29
What is the mean of 4, 8 and 12? | 24/3=8 | 8
Compute 2^6. | 2*2*2*2*2*2=64 | 64
How many minutes are in 4 hours? | 4*60=240 | 240
What is 3/4 of 20? | 20*3/4=15 | 15
Solve 2x - 5 = 11. | 2x=16 | 8
Six friends share 54 coins evenly. How many does each get? | 54/6=9 | 9
What is the perimeter of a square with side 7? | 4*7=28 | 28
Compute 13 * 6. | 78 | 78
What remains when 29 is divided by 4? | 29=7*4+1 | 1
A shirt of 40 euros is 25 percent off. What does it cost now? | 40-10=30 | 30
What is the next number: 2, 5, 8, 11? | 11+3=14 | 14
Simplify 18/24. | 18/24=3/4 | \frac{3}{4}
What is the cube root of 27? | 3*3*3=27 | 3
Solve x/4 = 9. | x=9*4 | 36
How many degrees has a right angle? | 90 | 90
The sum of two equal numbers is 46. What is one of them? | 46/2=23 | 23
Compute 100 - 37. | 63 | 63
What is 0.5 as a fraction? | 5/10=1/2 | \frac{1}{2}
How many prime numbers are below 10? | 2,3,5,7 | 4
A class of 28 has 12 boys. How many girls are there? | 28-12=16 | 16
What is 7 squared? | 7*7=49 | 49
A car uses 6 litres for 100 km. How many for 250 km? | 6*2.5=15 | 15
Solve 5x + 5 = 30. | 5x=25 | 5
What is the least common multiple of 4 and 6? | 12=3*4=2*6 | 12
What is the greatest common divisor of 18 and 30? | 18=3*6, 30=5*6 | 6
Compute 5!. | 5*4*3*2=120 | 120
How many days are in 6 weeks? | 6*7=42 | 42
What is 2/3 - 1/6? | 4/6-1/6=3/6 | \frac{1}{2}
The angles of a triangle are 50 and 60 degrees. What is the third? | 180-110=70 | 70
Solve x^2 = 81 for positive x. | 9*9=81 | 9
What is 20 percent of 85? | 85/5=17 | 17
A rope of 36 m is cut into 4 equal parts. How long is each? | 36/4=9 | 9
Compute 14 + 28 + 6. | 42+6=48 | 48
What is -8 + 3? | -5 | -5
How many edges has a cube? | 4+4+4=12 | 12
A book has 96 pages. Lia reads 12 a day. How many days? | 96/12=8 | 8
What is the value of 3x^2 at x = 2? | 3*4=12 | 12
What is the median of 3, 9, 5? | 3,5,9 | 5
Compute 1000 / 8. | 125 | 125
What is the slope of y = 4x - 7? | y=4x-7 | 4
Two dice are rolled. How many outcomes are there? | 6*6=36 | 36
A tank of 90 litres is one third full. How many litres are in it? | 90/3=30 | 30
Factor: which positive root has x^2 - 5x + 6 = 0 besides 2? | (x-2)(x-3) | 3
What is 11 times 12? | 132 | 132
What is the hypotenuse of a right triangle with legs 3 and 4? | 9+16=25 | 5
How many seconds are in a quarter of an hour? | 15*60=900 | 900
What is 10 to the power of 3? | 10*10*10=1000 | 1000
Ben is 5 years older than Ann, who is 14. How old is Ben? | 14+5=19 | 19
What is the volume of a cube with edge 3? | 3*3*3=27 | 27
Compute 3/5 * 10. | 30/5=6 | 6
What is the derivative of 5x at any x? | 5 | 5
A dozen costs 24 euros. What does one cost? | 24/12=2 | 2
"""


def rows() -> list[Row]:
    """A row per problem, in the form of the mathematics that MOPD trains on."""
    return [
        gym_row(
            "math_with_judge",
            f"{problem} Put the answer in \\boxed{{}}.",
            said(f"{working} \\boxed{{{answer}}}"),
            question=problem,
            expected_answer=answer,
        )
        for problem, working, answer in cells(PROBLEMS)
    ]
