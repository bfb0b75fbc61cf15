"""Where a registered ensemble or a crystal comes from, and whether a campaign comes out the same again."""
