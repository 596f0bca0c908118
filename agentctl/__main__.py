"""The program: `agentctl`, and `python -m agentctl`."""

from typing import NoReturn


def run() -> NoReturn:
    """Start it; whoever interrupts it while it is still being loaded gets no traceback."""
    try:
        from agentctl.cli import main
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    main.run()


if __name__ == "__main__":
    run()
