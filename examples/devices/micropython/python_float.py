# Decimal numbers as Python writes them: the shortest digits that give the same 64-bit double. Works on text and integers
# only, so a board whose own floats are 32 bits wide, or printed otherwise, comes to the same text.


def python_float(literal):
    """The literal of a number with a point or an exponent, as Python's repr() writes that number: '2.50' gives '2.5'.
    Raises ValueError where it is too large for a double."""
    sign = ""
    if literal[0] == "-":
        sign, literal = "-", literal[1:]
    mantissa, exponent = literal, 0
    for mark in "eE":
        if mark in literal:
            mantissa, power = literal.split(mark)
            exponent = int(power)
    whole, _, decimals = mantissa.partition(".")
    digits = (whole + decimals).lstrip("0")
    # The value is 0.<digits> times ten to the power of `point`.
    point = len(digits) - len(decimals) + exponent
    digits = digits.rstrip("0")
    if not digits:
        return sign + "0.0"
    # Up to 15 digits, no two decimals are the same double, so these are the shortest already.
    if len(digits) > 15 or not -306 <= point <= 308:
        digits, point = _shortest(digits, point)
        if not digits:
            return sign + "0.0"
    return sign + _written(digits, point)


def _written(digits, point):
    count = len(digits)
    if -4 < point <= 0:
        return "0." + "0" * -point + digits
    if 0 < point <= 16:
        if count <= point:
            return digits + "0" * (point - count) + ".0"
        return digits[:point] + "." + digits[point:]
    exponent = point - 1
    text = digits[0] + ("." + digits[1:] if count > 1 else "")
    return "%se%s%s%d" % (text, "-" if exponent < 0 else "+", "0" if abs(exponent) < 10 else "", abs(exponent))


def _shortest(digits, point):
    """The shortest digits of the double that is nearest to a decimal, and the place of their point."""
    if point > 310:
        raise ValueError("a number too large for a double")
    if point < -330:
        return "", 0
    power = point - len(digits)
    numerator, denominator = int(digits), 1
    if power >= 0:
        numerator *= 10**power
    else:
        denominator = 10**-power
    mantissa, exponent = _double(numerator, denominator)
    if mantissa == 0:
        return "", 0
    # Four times the double and the two decimals in the middle between it and its neighbours. Below a power of two the
    # neighbour is only half as far.
    value, high = 4 * mantissa, 4 * mantissa + 2
    low = 4 * mantissa - (1 if mantissa == 1 << 52 and exponent > -1074 else 2)
    scale = 1
    if exponent >= 2:
        value, low, high = value << exponent - 2, low << exponent - 2, high << exponent - 2
    else:
        scale = 1 << 2 - exponent
    # The middle itself is read as the double with the even mantissa.
    closed = mantissa & 1 == 0
    # Rounding may have carried the double over a power of ten.
    place = point if value * 10 ** max(0, -point) < scale * 10 ** max(0, point) else point + 1
    for count in range(1, 18):
        unit_power = place - count
        unit, by = (10**unit_power * scale, 1) if unit_power >= 0 else (scale, 10**-unit_power)
        below = value * by // unit
        rest = 2 * (value * by - below * unit)
        nearest = below + (1 if rest > unit or rest == unit and below & 1 else 0)
        for candidate in (nearest, 2 * below + 1 - nearest):
            at = candidate * unit
            if low * by < at < high * by or closed and at in (low * by, high * by):
                text = str(candidate)
                return text.rstrip("0"), unit_power + len(text)
    raise ValueError("no shortest digits")


def _double(numerator, denominator):
    """Mantissa and binary exponent of the nearest double, ties to the even one; IEEE 754 section 4.3.1."""
    exponent = max(_bits(numerator) - _bits(denominator) - 53, -1074)
    while True:
        upper = numerator << -exponent if exponent < 0 else numerator
        lower = denominator << exponent if exponent > 0 else denominator
        mantissa = upper // lower
        if mantissa < 1 << 53:
            break
        exponent += 1
    rest = 2 * (upper - mantissa * lower)
    if rest > lower or rest == lower and mantissa & 1:
        mantissa += 1
    if mantissa == 1 << 53:
        mantissa, exponent = 1 << 52, exponent + 1
    if exponent > 971:
        raise ValueError("a number too large for a double")
    return mantissa, exponent


def _bits(number):
    text = "%x" % number
    return 4 * (len(text) - 1) + (1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4)[int(text[0], 16) - 1]
