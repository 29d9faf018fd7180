"""Rewards of a reward model in a folder: a sequence classifier with one label, as Hugging Face keeps them.

It has its own tokenizer and chat template, and reads the conversation with what follows the thinking as the assistant's
answer. The reward is its score as it is. It is frozen; no gradient passes through it. Nothing is downloaded and no code of
the folder is run; weights are safetensors.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from workers.spec import FolderRewardSpec
from workers.training.bad_spec import BadSpecError
from workers.training.graders._reference import final_part
from workers.training.models.weights import refuse_adapters
from workers.training.rollouts import Grade, Rollout, Turn


class FolderRewards:
    """A frozen reward model on the best device there is; float32 on a CPU, bfloat16 on a GPU."""

    def __init__(self, spec: FolderRewardSpec, folder: Path) -> None:
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        if not (folder / "config.json").exists():
            raise BadSpecError(
                f"found no reward model in folder '{spec.folder}' below MODELS_DIR, expected config.json, a tokenizer and weights "
                "as safetensors; put it there on every worker"
            )
        refuse_adapters(folder)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        given: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        try:
            self.tokenizer = AutoTokenizer.from_pretrained(folder, **given)
            model, facts = AutoModelForSequenceClassification.from_pretrained(
                folder,
                use_safetensors=True,
                dtype=torch.bfloat16 if device.type == "cuda" else torch.float32,
                output_loading_info=True,
                **given,
            )
        except (OSError, ValueError, KeyError) as error:
            raise BadSpecError(f"the reward model in folder '{spec.folder}' cannot be read: {error}") from None
        _check(spec, model, self.tokenizer, sorted(facts["missing_keys"]))
        self.model = model.to(device).eval().requires_grad_(False)
        self.device, self.batch_tokens = device, spec.batch_tokens
        self.longest: int = getattr(model.config, "max_position_embeddings", 2**31)

    def grades(self, rollouts: list[Rollout]) -> list[Grade]:
        """Score each answer with its conversation."""
        rows = [self._ids(rollout) for rollout in rollouts]
        scores: dict[int, float] = {}
        for batch in batches([len(row) for row in rows], self.batch_tokens):
            scores |= zip(batch, self._scores([rows[number] for number in batch]).tolist(), strict=True)
        return [Grade(scores[number], {"score": round(scores[number], 2)}) for number in range(len(rows))]

    def _ids(self, rollout: Rollout) -> list[int]:
        """Write the conversation in the model's own template; one too long for it loses its beginning."""
        turns = rollout.problem.turns or (Turn("user", rollout.problem.prompt),)
        messages = [asdict(turn) for turn in (*turns, Turn("assistant", final_part(rollout.text)))]
        ids = self.tokenizer.apply_chat_template(messages, return_dict=False)
        return list(ids)[-self.longest :]

    @torch.no_grad()
    def _scores(self, rows: list[list[int]]) -> Tensor:
        width, pad = max(len(row) for row in rows), self._pad_for(rows)
        self.model.config.pad_token_id = pad  # by which the model finds each row's last token
        ids_BS = torch.tensor([row + [pad] * (width - len(row)) for row in rows], device=self.device)
        lengths_B = torch.tensor([len(row) for row in rows], device=self.device)
        attention_BS = (torch.arange(width, device=self.device) < lengths_B[:, None]).long()
        scores_B1: Tensor = self.model(input_ids=ids_BS, attention_mask=attention_BS).logits
        return scores_B1.squeeze(-1).float()

    def _pad_for(self, rows: list[list[int]]) -> int:
        """Pad with the tokenizer's own token unless a row ends with it: the model would take the token before for the last."""
        own = self.tokenizer.pad_token_id
        ends = {row[-1] for row in rows}
        return own if own is not None and own not in ends else next(n for n in range(len(ends) + 1) if n not in ends)


def batches(lengths: list[int], most: int) -> list[list[int]]:
    """Deal rows out by length, so that a padded batch has at most that many tokens; one row alone may have more."""
    found: list[list[int]] = []
    for number in sorted(range(len(lengths)), key=lambda n: lengths[n]):
        if found and lengths[number] * (len(found[-1]) + 1) <= most:
            found[-1].append(number)
        else:
            found.append([number])
    return found


def _check(spec: FolderRewardSpec, model: Any, tokenizer: Any, missing: list[str]) -> None:
    if model.config.num_labels != 1:
        raise BadSpecError(
            f"found {model.config.num_labels} labels in the reward model of folder '{spec.folder}', expected one, the score; take "
            "a reward model"
        )
    if missing:  # a head that is made up scores at random
        raise BadSpecError(
            f"found no weights for {', '.join(missing[:3])} in folder '{spec.folder}', expected a whole reward model; a "
            "language model has no head that scores"
        )
    if not getattr(tokenizer, "chat_template", None):
        raise BadSpecError(
            f"found no chat template in the tokenizer of folder '{spec.folder}', expected the one that the reward model was trained "
            "with; add it to the folder"
        )
