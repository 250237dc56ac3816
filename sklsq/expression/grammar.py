"""The language of formulas, read by a whitelist over Python's own syntax tree.

    formula  = sum
    sum      = product { ("+" | "-") product }
    product  = signed { ("*" | "/") signed }
    signed   = ("+" | "-") signed | power
    power    = atom [ "**" signed ]
    atom     = number | name | "pi" | function "(" formula ")" | "(" formula ")"
    number   = a decimal integer or float of Python
    name     = an identifier, not beginning with "_", not a function
    function = one of `sklsq.expression.functions.ALLOWED`

The text is checked before `ast.parse` sees it (length, characters, bracket depth), then the tree
is walked with a count of nodes and depth, and whatever is not in the table above is refused by
name. Nothing is ever executed: numbers become floats at once, so ``9**9**9**9`` is an infinite
float that is refused, not a huge integer that is computed.

Source: Python Language Reference, section 10 "Full Grammar specification";
E. Batchelder, "Eval really is dangerous" (2012), for what a blacklist overlooks.
"""

import ast
import math
import re
import unicodedata

from sklsq.expression.functions import ALIASES, ALLOWED
from sklsq.expression.tape import Steps, Tape, prune

MAX_CHARACTERS = 2000
MAX_NODES = 1000
MAX_DEPTH = 100
MAX_INTEGER_POWER = 64

_RULE = "a formula of names, numbers, + - * / **, parentheses and the listed functions"
_OTHERWISE = "For anything more, pass a Python callable instead."
_FUNCTIONS = f"The functions are {', '.join(ALLOWED)}."
_LONGEST_QUOTATION = 60

_UNREADABLE_CHARACTERS = {
    "^": ("'^'", "Use ** for powers."),
    "'": ("a string", "Write names without quotes."),
    '"': ("a string", "Write names without quotes."),
    ";": ("';'", "Write a single formula."),
    "#": ("a comment", "Leave it out."),
    "\\": ("a backslash", "Leave it out."),
}

# The number is atomic, (?>...), so that "1e5" is not taken for 1 followed by the name e5.
_NUMBER_BEFORE_LETTER = re.compile(
    r"(?<![\w.])(?>(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?)[^\W\d]"
)

_BINARY: dict[type, str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Pow: "**",
}
_SIGNS = (ast.UAdd, ast.USub)

_UNLISTED_SYNTAX: dict[type, str] = {
    ast.Attribute: "an attribute (a dot after a name)",
    ast.Await: "await",
    ast.BitAnd: "the operator &",
    ast.BitOr: "the operator |",
    ast.BoolOp: "and/or",
    ast.Compare: "a comparison",
    ast.Dict: "a dict",
    ast.DictComp: "a comprehension",
    ast.FloorDiv: "the operator //",
    ast.GeneratorExp: "a comprehension",
    ast.IfExp: "a condition (if ... else)",
    ast.Invert: "the operator ~",
    ast.Lambda: "a lambda",
    ast.List: "a list",
    ast.ListComp: "a comprehension",
    ast.LShift: "the operator <<",
    ast.MatMult: "the operator @",
    ast.Mod: "the operator %",
    ast.NamedExpr: "an assignment (:=)",
    ast.Not: "the operator not",
    ast.RShift: "the operator >>",
    ast.Set: "a set",
    ast.SetComp: "a comprehension",
    ast.Starred: "a starred argument",
    ast.Subscript: "a subscript",
    ast.Tuple: "a comma",
    ast.Yield: "yield",
    ast.YieldFrom: "yield",
}


def read(source: str) -> Steps:
    """Return the tape of a formula.

    Raises
    ------
    ValueError
        If anything in `source` is outside the language.
    """
    _check_text(source)
    tape = Tape()
    places: dict[ast.expr, int] = {}
    for node in reversed(_checked_nodes(_syntax_tree(source), source)):
        places[node] = _put(tape, node, places)
        constant = tape.constants[places[node]]
        if constant is not None and not math.isfinite(constant):
            raise ValueError(
                f"`expression` must have finite constants. Got {constant} from "
                f"{_quote_node(node, source)}. Replace that part by a number between -1.8e308 "
                "and 1.8e308."
            )
    return prune(tape.steps, places[node])


def _check_text(source: str) -> None:
    """Refuse what the length and the characters tell, before any parser runs."""
    if not source.strip():
        raise ValueError(
            "`expression` must be a formula. Got an empty string. Write e.g. 'a + b*x'."
        )
    if len(source) > MAX_CHARACTERS:
        raise ValueError(
            f"`expression` must be at most {MAX_CHARACTERS} characters long. Got {len(source)}. "
            + _OTHERWISE
        )
    for character in source:
        if not (character.isprintable() or character == "\t"):
            raise ValueError(
                f"`expression` must be printable characters on one line. Got {character!r} in "
                f"{_quote(source)}. Leave it out."
            )
        if character in _UNREADABLE_CHARACTERS:
            raise _refusal(source, *_UNREADABLE_CHARACTERS[character])
    _check_spelling(source)
    if _bracket_depth(source) > MAX_DEPTH:
        raise _too_large(source, f"brackets nested at most {MAX_DEPTH} deep")


def _check_spelling(source: str) -> None:
    """Refuse look-alike characters, which Python would silently rename, and ``2x`` for ``2*x``."""
    plain = unicodedata.normalize("NFKC", source)
    if plain != source:
        raise ValueError(
            f"`expression` must be in Unicode's plain form (NFKC). Got {_quote(source)}. "
            f"Its plain form is {_quote(plain)}; superscripts are written with **."
        )
    if match := _NUMBER_BEFORE_LETTER.search(source):
        raise _refusal(source, f"{match[0]!r}, a number followed by a letter", "Multiply with *.")


def _bracket_depth(source: str) -> int:
    depth = deepest = 0
    for character in source:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    return deepest


def _syntax_tree(source: str) -> ast.expr:
    try:
        return ast.parse(source.strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise _refusal(
            source,
            f"something unreadable ({reason})",
            "Write products with *, powers with **, and of an equation only the right-hand side.",
        ) from None
    except (RecursionError, MemoryError):
        raise _too_large(source, "less deeply nested") from None


def _checked_nodes(root: ast.expr, source: str) -> list[ast.expr]:
    """Return the nodes of the tree, parents before children and right before left."""
    nodes: list[ast.expr] = []
    stack = [(root, 1)]
    while stack:
        node, depth = stack.pop()
        nodes.append(node)
        if depth > MAX_DEPTH:
            raise _too_large(source, f"nested at most {MAX_DEPTH} deep")
        if len(nodes) > MAX_NODES:
            raise _too_large(source, f"at most {MAX_NODES} names, numbers and operations")
        stack.extend((child, depth + 1) for child in _children(node, source))
    return nodes


def _children(node: ast.expr, source: str) -> tuple[ast.expr, ...]:
    """Return the operands of a listed node; refuse any other."""
    match node:
        case ast.BinOp(left, operation, right) if type(operation) in _BINARY:
            return left, right
        case ast.UnaryOp(operation, operand) if isinstance(operation, _SIGNS):
            return (operand,)
        case ast.Call(ast.Name(function), [argument], []) if function in ALLOWED:
            return (argument,)
        case ast.Constant(value) if type(value) in (int, float):
            return ()
        case ast.Name(name) if not name.startswith("_") and name not in ALLOWED:
            return ()
    raise _refusal(source, *_describe(node, source))


def _describe(node: ast.expr, source: str) -> tuple[str, str]:
    """Name the thing that is not listed, and its remedy."""
    got, remedy = _UNLISTED_SYNTAX.get(type(node), type(node).__name__), _OTHERWISE
    match node:
        case ast.Call(ast.Attribute() as function):
            got, remedy = _describe(function, source)
        case ast.Attribute(ast.Name("np" | "numpy" | "math" | "scipy"), function):
            got, remedy = _quote_node(node, source), f"Write {function}(x) without the prefix."
        case ast.Call(ast.Name(function)) if function in ALLOWED:
            got, remedy = _quote_node(node, source), f"Write {function}(x), with one argument."
        case ast.Call(function):
            got, remedy = f"a call of {_quote_node(function, source)}", _FUNCTIONS
        case ast.Name(name) if name in ALLOWED:
            got, remedy = f"the function {name!r} without an argument", f"Write {name}(x)."
        case ast.Name(name):
            got, remedy = f"the name {name!r}", "Begin names with a letter."
        case ast.Constant(value):
            got, remedy = repr(value), "Numbers are decimal integers or floats."
        case ast.BinOp(op=operation) | ast.UnaryOp(op=operation):
            got = _UNLISTED_SYNTAX[type(operation)]
    return got, remedy


def _put(tape: Tape, node: ast.expr, places: dict[ast.expr, int]) -> int:
    """Append a checked node whose operands have their places."""
    match node:
        case ast.BinOp(left, ast.Pow(), right) if (power := _integer_power(right)) is not None:
            place = tape.put("power", places[left], number=power)
        case ast.BinOp(left, operation, right):
            place = tape.put(_BINARY[type(operation)], places[left], places[right])
        case ast.UnaryOp(operation, operand):
            is_minus = isinstance(operation, ast.USub)
            place = tape.put("negative", places[operand]) if is_minus else places[operand]
        case ast.Call(ast.Name(function), [argument]):
            place = tape.put(ALIASES.get(function, function), places[argument])
        case ast.Name(name):
            place = tape.put("pi") if name == "pi" else tape.put("name", name=name)
        case ast.Constant(int() | float() as value):
            place = tape.put("number", number=_as_float(value))
        case _:  # _children lets nothing else pass
            raise AssertionError(f"unchecked node {node!r}")
    return place


def _integer_power(exponent: ast.expr) -> int | None:
    """Return the value of an exponent written as a small integer (2, -2, 2.0), else None."""
    sign = 1
    if isinstance(exponent, ast.UnaryOp):
        sign = -1 if isinstance(exponent.op, ast.USub) else 1
        exponent = exponent.operand
    match exponent:
        case ast.Constant(int() | float() as value) if abs(value) <= MAX_INTEGER_POWER:
            return sign * int(value) if value == int(value) else None
    return None


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _quote(source: str) -> str:
    shortened = source if len(source) <= _LONGEST_QUOTATION else source[:_LONGEST_QUOTATION] + "..."
    return repr(shortened)


def _quote_node(node: ast.expr, source: str) -> str:
    return _quote(ast.get_source_segment(source.strip(), node) or "")


def _refusal(source: str, got: str, remedy: str) -> ValueError:
    return ValueError(f"`expression` must be {_RULE}. Got {got} in {_quote(source)}. {remedy}")


def _too_large(source: str, limit: str) -> ValueError:
    return ValueError(f"`expression` must be {limit}. Got {_quote(source)}. {_OTHERWISE}")
