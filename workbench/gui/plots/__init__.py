"""The plots of the window: cards that draw what runs say."""
