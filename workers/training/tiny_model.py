"""The tiny base model and its tokenizer, built from nothing: no download, no training data.

The tokenizer knows whole words, glue of JSON, pairs such as `k5` and `A3`, and every printable ASCII character, so any
domain works at character level and the common pieces are single tokens. With the vocabulary for text, so are common words of
English, JSON and Python, each with and without a blank before it. Pairs are single tokens because a model this
small does not find the induction heads that binding a key to the value after it would need. Any other character
becomes `<unk>`.
"""

import re
from collections.abc import Iterable
from string import ascii_lowercase, digits, printable
from typing import Literal

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from workers.spec import TinyModelSpec
from workers.training.tiny_words import TEXT_GLUE, TEXT_WORDS

PAD, EOS, UNKNOWN, USER, ASSISTANT = "<pad>", "<eos>", "<unk>", "<u>", "<a>"
SPECIALS = (PAD, EOS, UNKNOWN, USER, ASSISTANT)
CHARACTERS = (*(character for character in printable if character.isprintable()), "\n")
GLUE = ('{"', '":"', '","', '":', ',"', '"}')
WORDS = (
    *("upper", "reverse", "repeat", "start", "end"),  # instructions
    *("max", "min"),  # stem
    *("add", "sub", "mul", "plus", "minus", "times", "from", "by", "and", "now", "please"),  # tools
    *("json", "csv", "list"),  # structure
    *("find", "fn", "fix"),  # long_context, coding, engineering
    *("sure", "ok", "ans"),  # styles of any domain
    *("hi", "help", "need", "want", "like", "make"),  # preference: what is asked
    *("hot", "cold", "green", "sweet", "fresh", "big", "small", "new", "nice"),
    *("tea", "cake", "soup", "rice", "milk", "fish", "jam", "pie", "bread", "fruit", "salad", "juice"),
    *("thanks", "welcome", "glad", "happy", "kind", "enjoy", "here", "is", "some", "no", "bad", "ugly", "rude"),
)
PAIRS = tuple(letter + digit for letter in "ABCD" + ascii_lowercase[:20] for digit in digits)

# A question and its answer become `<u>prompt<a>` and `response<eos>`, without spaces or line breaks of the template's own. Tools
# come first, one a line; what a system or a tool says is a user's turn that names who speaks.
CHAT_TEMPLATE = (
    f"{{% if tools %}}{USER}tools\n{{% for tool in tools %}}{{{{ tool | tojson }}}}\n{{% endfor %}}{{% endif %}}"
    "{% for message in messages %}"
    f"{{% if message['role'] == 'assistant' %}}{ASSISTANT}{{{{ message['content'] }}}}{EOS}"
    f"{{% elif message['role'] == 'user' %}}{USER}{{{{ message['content'] }}}}"
    f"{{% else %}}{USER}{{{{ message['role'] }}}}\n{{{{ message['content'] }}}}{{% endif %}}"
    "{% endfor %}"
    f"{{% if add_generation_prompt %}}{ASSISTANT}{{% endif %}}"
)


def build_tokenizer(kind: Literal["domains", "text"] = "domains") -> PreTrainedTokenizerFast:
    """Build the word-level tokenizer; what it encodes it decodes to the same text, `<unk>` aside."""
    tokens: tuple[str, ...] = (*SPECIALS, *CHARACTERS, *GLUE, *WORDS, *PAIRS)
    pattern = _pieces_pattern()
    if kind == "text":
        words = (*WORDS, *TEXT_WORDS)
        tokens = tuple(dict.fromkeys((*tokens, *TEXT_GLUE, *words, *(f" {word}" for word in words))))
        pattern = f"{_text_pattern(words)}|{pattern}"
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=EOS,
        unk_token=UNKNOWN,
        additional_special_tokens=[USER, ASSISTANT],
        chat_template=CHAT_TEMPLATE,
        padding_side="right",
        clean_up_tokenization_spaces=False,
    )


def build_model(spec: TinyModelSpec, tokenizer: PreTrainedTokenizerFast, seed: int) -> Qwen3ForCausalLM:
    """Build the model of `spec` with random weights that only `seed` decides; the caller's random state stays as it was."""
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=spec.hidden_size,
        num_hidden_layers=spec.layers,
        num_attention_heads=spec.heads,
        num_key_value_heads=spec.heads,
        head_dim=spec.head_size,
        intermediate_size=spec.mlp_size,
        max_position_embeddings=spec.max_positions,
        initializer_range=spec.init_std,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        dtype=torch.float32,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Qwen3ForCausalLM(config)  # type: ignore[no-untyped-call]


def _pieces_pattern() -> str:
    """Match one token: a whole word, glue, a pair, else a single character; longer alternatives first."""
    words = "|".join(sorted(WORDS, key=len, reverse=True))
    glue = "|".join(re.escape(piece) for piece in sorted(GLUE, key=len, reverse=True))
    return rf"(?<![A-Za-z])(?:{words})(?![A-Za-z])|{glue}|[A-Da-t][0-9]|[\s\S]"


def _text_pattern(words: Iterable[str]) -> str:
    """Match glue or a whole word with the blank before it, if there is one; longer alternatives first."""
    glue = "|".join(re.escape(piece) for piece in sorted(TEXT_GLUE, key=len, reverse=True))
    listed = "|".join(sorted(words, key=len, reverse=True))
    return rf"{glue}| (?:{listed})(?![A-Za-z])|(?<![A-Za-z])(?:{listed})(?![A-Za-z])"
