"""Which language a text is in, as IFEval tells it: `langdetect`, here with a fixed seed, since it draws at random."""

from functools import lru_cache

LANGUAGES = (
    "af", "ar", "bg", "bn", "ca", "cs", "cy", "da", "de", "el", "en", "es", "et", "fa", "fi", "fr", "gu", "he", "hi", "hr",
    "hu", "id", "it", "ja", "kn", "ko", "lt", "lv", "mk", "ml", "mr", "ne", "nl", "no", "pa", "pl", "pt", "ro", "ru", "sk",
    "sl", "so", "sq", "sv", "sw", "ta", "te", "th", "tl", "tr", "uk", "ur", "vi", "zh-cn", "zh-tw",
)  # fmt: skip
_MAX_CHARACTERS = 20_000  # twice what langdetect looks at


def language(value: object) -> str:
    """Read a language's code; `zh` is either Chinese."""
    if value not in (*LANGUAGES, "zh"):
        raise ValueError(f"a language's code, one of: {', '.join(LANGUAGES)}, zh")
    return str(value)


@lru_cache(maxsize=64)  # the loose variants of an answer are often the same text
def language_of(text: str) -> str:
    """Name the language; nothing for a text without letters, which is in none (IFEval takes it for any)."""
    from langdetect import DetectorFactory, LangDetectException, detect  # it reads a profile of each language

    DetectorFactory.seed = 0
    try:
        return str(detect(text[:_MAX_CHARACTERS]))
    except LangDetectException:
        return ""
