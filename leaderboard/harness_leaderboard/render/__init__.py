"""Tables as text: for a terminal, a README, a paper, a program, a page."""
