"""From the predictions of many networks to one with a calibrated error."""
