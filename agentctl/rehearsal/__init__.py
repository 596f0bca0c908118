"""The stand-in model: a loopback server that plays a script over the providers' real wire formats.

`script` says what is played, `server` plays it. Nothing here imports an SDK.
"""
