"""The readiness checklist: what a task and its policy must have before they may touch production.

Pure: `facts` is what is looked at, `checklist` names the items, one module for each of their kinds judges them,
`degradation` says what happens when something outside fails, `cautions` what is allowed and worth a thought. D111, E37
"""
