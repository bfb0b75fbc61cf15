"""Propose, screen, choose: from known crystals to the candidates worth an oracle's time."""
