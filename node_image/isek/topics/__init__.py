"""Messages to everybody who wants them: topics, their subscribers, and how each gets what was published."""
