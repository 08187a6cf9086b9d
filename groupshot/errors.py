"""The one exception that is the user's to mend."""


class UserError(Exception):
    """A mistake in what the user gave: one sentence that says what, where, and what to do."""


class Visible(UserError):
    """A mistake that shows in what a run has kept so far: its folder stays, to be looked at."""
