"""What a call costs by a table that agentctl has nothing to do with: litellm's, cut down to what is compared.

`oracle_prices.json` holds the table's own fields and figures, in US dollars per token. A newer one is made from a wheel
of litellm: `python tests/models/oracle.py litellm-1.109.1-*.whl`.
"""

import json
import re
import sys
import zipfile
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

FIXTURE = Path(__file__).with_name("oracle_prices.json")
TABLE = "litellm/model_prices_and_context_window_backup.json"
INPUT = "input_cost_per_token"
FIELDS = {
    "input": INPUT,
    "output": "output_cost_per_token",
    "cache_read": "cache_read_input_token_cost",
    "cache_write": "cache_creation_input_token_cost",
    "cache_write_1h": "cache_creation_input_token_cost_above_1hr",
}
INSTEAD = {"cache_read": "input", "cache_write": "input", "cache_write_1h": "cache_write"}
"""What a cache costs where the table names no price for it."""
kept = re.compile(rf"({'|'.join(FIELDS.values())})(_above_[0-9]+k_tokens)?")
tier = re.compile(r".*_above_([0-9]+)k_tokens")


class Oracle:
    """The table."""

    def __init__(self) -> None:
        held = json.loads(FIXTURE.read_text(), parse_float=Decimal, parse_int=Decimal)
        self.models: dict[str, dict[str, Any]] = held["models"]

    def sdk(self, model: str) -> str:
        return self.models[model]["litellm_provider"]

    def names(self, model: str, column: str) -> bool:
        """Whether the table has a price of its own for this."""
        return FIELDS[column] in self.models[model]

    def thresholds(self, model: str) -> list[int]:
        """The prompt sizes above which everything costs something else."""
        return sorted({int(found[1]) * 1000 for key in self.models[model] if (found := tier.fullmatch(key))})

    def price(self, model: str, column: str, prompt: int) -> Decimal:
        """US dollars per token."""
        while not self.names(model, column):
            column = INSTEAD[column]
        above = max((size for size in self.thresholds(model) if prompt > size), default=0)
        return self.models[model][FIELDS[column] + (f"_above_{above // 1000}k_tokens" if above else "")]

    def micro(self, model: str, tokens: dict[str, int]) -> int:
        """What so many tokens of each column cost, in micro-dollars; a half goes up."""
        prompt = sum(tokens.values()) - tokens["output"]
        usd = sum(self.price(model, column, prompt) * number for column, number in tokens.items())
        return int((usd * 10**6).quantize(Decimal(1), ROUND_HALF_UP))


def remake(wheel: Path) -> None:
    """Cut the table of a wheel down to what is compared."""
    with zipfile.ZipFile(wheel) as packed:
        table = json.loads(packed.read(TABLE))
    made = {
        name: {key: held for key, held in entry.items() if kept.fullmatch(key) or key == "litellm_provider"}
        for name, entry in sorted(table.items())
        if entry.get("litellm_provider") in {"anthropic", "openai"}
        and entry.get("mode") in {"chat", "responses"}
        and INPUT in entry
    }
    about = {
        "source": f"litellm {wheel.name.split('-')[1]}: {TABLE}",
        "licence": "MIT, Copyright (c) 2023 Berri AI",
        "unit": "US dollars per token; above_1hr: a cache of an hour; above_272k_tokens: prompts above that size",
    }
    FIXTURE.write_text(json.dumps(about | {"models": made}, indent=1) + "\n")


if __name__ == "__main__":
    remake(Path(sys.argv[1]))
