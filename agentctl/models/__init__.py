"""The models: three wire APIs behind one small protocol. Start at `base.py`."""
