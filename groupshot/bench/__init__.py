"""The bench: methods learn casts, and a judge reads what they draw. Who mixes whom?"""
