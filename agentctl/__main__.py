"""`python -m agentctl`."""

if __name__ == "__main__":
    from agentctl.cli.main import run

    run()
