"""How runs are seen from outside: the page of a run, alerts, and OpenTelemetry.

`spans` folds events into spans and knows no SDK; `sending` alone imports one, once something is to be sent.
"""
