"""Numbers and times as a person writes and reads them, without Qt."""

from __future__ import annotations

import math
import re
from decimal import Decimal

from workbench.experiment.metrics import is_share

_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:[,\u202f\u00a0 ]\d{3})+(?:\.\d+)?")


def number_text(value: float) -> str:
    """The shortest text that reads back as the number, with thousands separated: 5,000, 0.4, 1e-5."""
    if isinstance(value, int):
        return f"{value:,}"
    if value == 0 or 1e-4 <= abs(value) < 1e7:
        return f"{int(value):,}" if value == int(value) else f"{value!r}"
    mantissa, _, exponent = f"{value!r}".partition("e")
    if not exponent:
        mantissa, _, exponent = f"{Decimal(repr(value)):e}".partition("e")
        mantissa = mantissa.rstrip("0").rstrip(".")
    return f"{mantissa}e{int(exponent)}"


def read_number(text: str) -> float:
    """The number that a person wrote: 1e-3, 0.001, 0,001, 5,000 or 5 000.

    Raises:
        ValueError: It is none.
    """
    text = text.strip().replace("\u2212", "-").replace("×10^", "e")
    if _THOUSANDS.fullmatch(text):
        text = re.sub(r"[,\u202f\u00a0 ]", "", text)
    elif text.count(",") == 1 and "." not in text:
        text = text.replace(",", ".")
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def next_step(value: float, direction: int, *, by_factors: bool, whole: bool) -> float:
    """The value a key press further: along 1, 2, 5, 10 where it moves by factors, else by one or a tenth."""
    if by_factors and value > 0:
        power = 10.0 ** math.floor(math.log10(value) + 1e-9)
        ladder = sorted(round(lead * scale, 15) for scale in (power / 10, power, power * 10) for lead in (1, 2, 5))
        further = [one for one in ladder if (one > value * (1 + 1e-9) if direction > 0 else one < value * (1 - 1e-9))]
        moved = further[0] if direction > 0 else further[-1]
        return max(1.0, round(moved)) if whole else float(f"{moved:.12g}")
    step = 1.0 if whole or abs(value) >= 10 else 0.1 if abs(value) < 1 + 1e-12 else 1.0
    return float(f"{value + direction * step:.12g}")


def duration(seconds: float) -> str:
    """1:02, or 2:15:00 from an hour on."""
    whole = int(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def last_part(path: object) -> str:
    """What a file or folder is called, however its path is written; empty for no path."""
    return str(path or "").rstrip("/\\").replace("\\", "/").rpartition("/")[2]


def size(count: float) -> str:
    """Bytes in GB or MB."""
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.0f} MB"


def result(mean: float, ci95: float | None, metric: str) -> str:
    """A result with its interval: 95.1 ± 0.5 % for a share, 0.41 ± 0.03 for an error."""
    if is_share(metric):
        return f"{100 * mean:.1f} ± {100 * ci95:.1f} %" if ci95 is not None else f"{100 * mean:.1f} %"
    if ci95 is None or ci95 <= 0:
        return f"{mean:.3g}"
    digits = max(0, min(6, 1 - math.floor(math.log10(ci95))))
    return f"{mean:.{digits}f} ± {ci95:.{digits}f}"


def empty_means(help_text: str) -> str:
    """What a field says of being left empty: "no limit" of "…; empty for no limit."."""
    match = re.search(r"empty for ([^.;,]+)", help_text)
    return match[1] if match else ""
