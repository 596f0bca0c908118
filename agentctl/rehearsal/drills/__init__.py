"""The failure drills: what each does to a run, and what a policy that holds makes of it. Pure: `runner/drills` plays them."""
