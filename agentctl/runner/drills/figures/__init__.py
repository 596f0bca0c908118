"""What the guards are worth in five figures: the same task under its policy, and with every `enabled = false`. C88"""
