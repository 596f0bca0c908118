"""What a policy could say, judged by what runs did: limits from quantiles, narrow rules from repeated approvals.

Pure. A suggestion is never applied by itself, and each comes with the figures that it is from.
"""
