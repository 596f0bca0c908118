"""The tools of the demo: a shop's order system, as programs.

Each is called with its arguments as one JSON object on stdin and answers with JSON on stdout. Exit code 75 says that
the failure may pass; any other says that it will not, with the last line of stderr as the reason.
"""

import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

TEMPORARY = 75
ORDERS = {
    "A-1001": {"status": "lost", "carrier": "DHL", "last_seen": "Leipzig", "days_late": 14, "price_usd": 48.5},
    "A-1002": {"status": "delivered", "carrier": "UPS", "last_seen": "front door", "days_late": 0, "price_usd": 12.0},
}


def main() -> None:
    """Run the tool that the first argument names."""
    arguments = json.load(sys.stdin)
    order = arguments["order_id"]
    if order not in ORDERS:
        fail(f"there is no order {order}", 1)
    answer = refund(order, arguments["amount_usd"]) if sys.argv[1] == "refund" else status(order)
    json.dump(answer, sys.stdout)


def status(order: str) -> dict[str, object]:
    """What is known of an order. The first call of each run fails, as real systems do."""
    if first_time():
        fail("the order system is restarting", TEMPORARY)
    return {"order_id": order, **ORDERS[order]}


def refund(order: str, amount: float) -> dict[str, object]:
    """Pay back at most the price; the key makes a second payment for the same call impossible."""
    price = float(str(ORDERS[order]["price_usd"]))
    if amount > price:
        fail(f"{amount} is more than the price of {order}: {price}", 1)
    return {"refund_id": "R-1", "order_id": order, "amount_usd": amount, "key": os.environ["AGENTCTL_IDEMPOTENCY_KEY"]}


def first_time() -> bool:
    """Whether this run calls for the first time."""
    run = re.sub(r"\W", "_", os.environ.get("AGENTCTL_RUN_ID", "none"))
    mark = Path(tempfile.gettempdir()) / f"orders-demo-{os.getuid()}-{run}"
    try:
        os.close(os.open(mark, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    except FileExistsError:
        mark.unlink(missing_ok=True)
        return False
    return True


def fail(reason: str, code: int) -> NoReturn:
    """Say why, and how it failed."""
    sys.stderr.write(f"{reason}\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
