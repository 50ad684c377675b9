"""Money is integer cents everywhere; only what people read is formatted."""

MINUS, NO_BREAK = "\u2212", "\u00a0"


def format_cents(cents: int, currency: str = "") -> str:
    """`-123456` as `−1,234.56`, with a true minus sign and the currency code behind it."""
    sign = MINUS if cents < 0 else ""
    units, rest = divmod(abs(cents), 100)
    return f"{sign}{units:,}.{rest:02}" + (f"{NO_BREAK}{currency}" if currency else "")
