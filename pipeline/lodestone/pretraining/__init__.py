"""Networks that are trained once, on a large table, and shipped: training them, and the card that describes them."""
