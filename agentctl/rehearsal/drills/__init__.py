"""The failure drills: what each does to a run, and what holds. Pure: `runner/drills` plays them."""
