"""The one exception that is the user's to mend, and what others have to say."""


class UserError(Exception):
    """A mistake in what the user gave: one sentence that says what, where, and what to do."""


class Visible(UserError):
    """A mistake that shows in what a run has kept so far: its folder stays, to be looked at."""


def first_line(error: Exception) -> str:
    """The part of a library's complaint that fits into a sentence; its name, if it has none."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
