"""The frame of a NeMo Gym row, with the answer as a rollout of full reward."""

import json
from typing import Any

Row = dict[str, Any]


def gym_row(agent: str, asked: str, output: list[Row], **fields: Any) -> Row:
    """Make a row of an environment; `system` and `tools` go to the request, what is left beside it."""
    system, tools = fields.pop("system", ""), fields.pop("tools", [])
    turns = [{"role": "system", "content": system}] if system else []
    return {
        "responses_create_params": {"input": [*turns, {"role": "user", "content": asked}], "tools": tools},
        "agent_ref": {"type": "responses_api_agents", "name": f"{agent}_simple_agent"},
        **fields,
        "response": {"object": "response", "output": output},
        "reward": 1.0,
    }


def said(text: str) -> list[Row]:
    """What a rollout holds that answered with a text."""
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return [{"type": "message", "role": "assistant", "content": content}]


def called(name: str, arguments: Row) -> list[Row]:
    """What a rollout holds that called a tool."""
    return [{"type": "function_call", "name": name, "arguments": json.dumps(arguments)}]


def cells(table: str) -> list[list[str]]:
    """Split a table that is written as lines of cells with bars between them."""
    return [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines()]
