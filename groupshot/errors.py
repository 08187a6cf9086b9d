"""The one exception that is the user's to mend."""


class UserError(Exception):
    """A mistake in what the user gave: one sentence that says what, where, and what to do."""
