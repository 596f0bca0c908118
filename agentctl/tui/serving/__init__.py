"""The monitor in a browser of this machine.

    browser ── HTTP, WebSocket on 127.0.0.1 ─▶ server (door, wire) ── packets on pipes ─▶ agentctl monitor, for each

Nothing is served before the door let the request in: its Host, its Origin, its token or badge.
"""
