"""The tables that the leaderboard shows."""
