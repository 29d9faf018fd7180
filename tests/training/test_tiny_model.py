"""The tiny model and its tokenizer."""

import random
from pathlib import Path
from typing import cast

import pytest
import torch
from transformers import AutoTokenizer, PreTrainedTokenizerFast, Qwen3ForCausalLM

from workers import catalogue
from workers.spec import TinyModelSpec
from workers.training.domains import DOMAINS
from workers.training.tiny_model import build_model, build_tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return build_tokenizer()


def prompt_ids(tokenizer: PreTrainedTokenizerFast, prompt: str) -> list[int]:
    messages = [{"role": "user", "content": prompt}]
    text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    return list(tokenizer.encode(text))


def test_a_prompt_is_framed_and_its_pieces_are_single_tokens(tokenizer: PreTrainedTokenizerFast) -> None:
    tokens = tokenizer.convert_ids_to_tokens(prompt_ids(tokenizer, "upper repeat3:gd"))
    assert tokens == ["<u>", "upper", " ", "repeat", "3", ":", "g", "d", "<a>"]
    assert tokenizer.tokenize('{"f":"add","a":7}') == ['{"', "f", '":"', "add", '","', "a", '":', "7", "}"]
    assert tokenizer.tokenize("find b7a9?b") == ["find", " ", "b7", "a9", "?", "b"]


@pytest.mark.parametrize("name", DOMAINS)
def test_text_survives_and_lengths_fit_the_catalogue(tokenizer: PreTrainedTokenizerFast, name: str) -> None:
    rng, longest_prompt, longest_target = random.Random(5), 0, 0
    for number in range(1000):
        problem = DOMAINS[name].make_problem(rng, for_demonstration=number % 2 == 0)
        target = DOMAINS[name].demonstrate(problem, rng, style_noise=0.0)
        for text in (problem.prompt, target, DOMAINS[name].demonstrate(problem, rng, style_noise=1.0)):
            ids = tokenizer.encode(text)
            assert tokenizer.decode(ids) == text
            assert tokenizer.unk_token_id not in ids
        longest_prompt = max(longest_prompt, len(prompt_ids(tokenizer, problem.prompt)))
        longest_target = max(longest_target, len(tokenizer.encode(target)) + 1)
    assert longest_prompt <= catalogue.DOMAINS[name].max_prompt_tokens
    assert longest_target <= 16
    assert catalogue.DOMAINS[name].max_prompt_tokens + 16 <= TinyModelSpec().max_positions


def test_tools_come_first_and_a_system_turn_says_that_it_is_one(tokenizer: PreTrainedTokenizerFast) -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "7 plus 9"}]
    tools = [{"type": "function", "function": {"name": "add", "description": "Adds <b>."}}, {"name": "sub"}]
    text = tokenizer.apply_chat_template(messages, tools=tools, add_generation_prompt=True, tokenize=False)
    listed = '{"type": "function", "function": {"name": "add", "description": "Adds <b>."}}\n{"name": "sub"}\n'
    assert text == f"<u>tools\n{listed}<u>system\nBe brief.<u>7 plus 9<a>"
    said = [*messages, {"role": "assistant", "content": "16"}, {"role": "tool", "content": "ok"}]
    assert str(tokenizer.apply_chat_template(said, tokenize=False)).endswith("<a>16<eos><u>tool\nok")


def test_the_vocabulary_for_text_adds_words_and_keeps_what_was_there(tokenizer: PreTrainedTokenizerFast) -> None:
    text = build_tokenizer("text")
    assert text.get_vocab().items() >= tokenizer.get_vocab().items()
    said = 'Read the number.\n```python\nprint(input())\n```<tool_call>{"name": "x"}</tool_call> theme Theaters'
    assert text.decode(text.encode(said)) == said
    assert len(text.encode(said)) < len(tokenizer.encode(said)) / 2
    assert text.tokenize("the theme, that") == ["the", " ", "t", "h", "e", "m", "e", ",", " that"]


def test_an_unknown_character_becomes_unk(tokenizer: PreTrainedTokenizerFast) -> None:
    assert tokenizer.tokenize("añb") == ["a", "<unk>", "b"]


def test_the_template_gives_the_same_ids_as_its_text(tokenizer: PreTrainedTokenizerFast) -> None:
    messages = [{"role": "user", "content": "please 7 plus 9"}]
    encoded = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=True, return_dict=True)
    assert cast(dict[str, list[int]], encoded)["input_ids"] == prompt_ids(tokenizer, "please 7 plus 9")


def test_a_conversation_ends_each_answer(tokenizer: PreTrainedTokenizerFast) -> None:
    messages = [{"role": "user", "content": "ab"}, {"role": "assistant", "content": "c"}]
    assert tokenizer.apply_chat_template(messages, tokenize=False) == "<u>ab<a>c<eos>"


def test_the_model_is_the_one_the_spec_describes(tokenizer: PreTrainedTokenizerFast) -> None:
    model = build_model(TinyModelSpec(), tokenizer, 0)
    # 3 layers x (4 x 160 x 160 attention + 3 x 160 x 320 mlp + 400 norms) + a final norm + tied embeddings
    assert sum(p.numel() for p in model.parameters()) == 3 * (4 * 160 * 160 + 3 * 160 * 320 + 400) + 160 + 160 * len(
        tokenizer
    )
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert 0.045 < model.model.layers[0].mlp.up_proj.weight.std().item() < 0.055


def test_only_the_seed_decides_the_weights(tokenizer: PreTrainedTokenizerFast) -> None:
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    first, again, other = (build_model(TinyModelSpec(), tokenizer, seed).lm_head.weight for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(before, torch.random.get_rng_state())


def test_saving_loses_nothing(tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> None:
    model = build_model(TinyModelSpec(), tokenizer, 3)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    again = Qwen3ForCausalLM.from_pretrained(tmp_path)
    assert (tmp_path / "model.safetensors").exists()
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in model.state_dict().items())
    reread = cast(PreTrainedTokenizerFast, AutoTokenizer.from_pretrained(tmp_path))
    assert reread.get_vocab() == tokenizer.get_vocab()
    assert prompt_ids(reread, "find b7a9?b") == prompt_ids(tokenizer, "find b7a9?b")
    assert reread.decode(reread.encode("please 7 plus 9")) == "please 7 plus 9"
