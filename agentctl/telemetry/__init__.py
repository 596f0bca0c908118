"""OpenTelemetry: what a run's events are as spans and metrics, and the sending of them.

`spans` folds events into spans and knows no SDK; `sending` alone imports one, once something is to be sent.
"""
